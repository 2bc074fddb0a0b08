// Runs every recorded model on the host and as a package and writes what was seen to docs/models.md:
//
//   npm run build && npm run check:models -- [--only NAME] [--json] [--data DIR] [--resume FILE]
//
// With --only (part of a model's name) nothing is written. --resume keeps finished figures in a file and goes on from it.
// The exit code is 1 when a figure is outside its bound.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import prettier from "prettier";
import { ACCURACIES, packageAccuracy } from "./models/accuracy.mjs";
import { checkModel } from "./models/check.mjs";
import { loadLibrary } from "./models/library.mjs";
import { listModels } from "./models/recorded.mjs";
import { renderModels } from "./models/render.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    data: { type: "string", default: path.join(root, "../shared/data") },
    library: { type: "string", default: path.join(root, "dist") },
    resume: { type: "string" },
  },
});
if (!existsSync(path.join(options.data, "models"))) {
  process.stderr.write(`${options.data} has no folder "models"; give the folder of the real models with --data.\n`);
  process.exit(1);
}

const library = await loadLibrary(options.library);
const work = mkdtempSync(path.join(os.tmpdir(), "check-models-"));
const finished = options.resume && existsSync(options.resume) ? JSON.parse(readFileSync(options.resume, "utf8")) : {};
let packages = 0;

/** Runs one check, or takes its figures from the interrupted run; what it throws is its result. */
async function once(key, check) {
  if (finished[key]) return finished[key];
  const out = path.join(work, `package-${packages++}`);
  let result;
  try {
    result = await check(out);
  } catch (error) {
    result = { name: key, crashed: error?.stack ?? String(error), passes: false };
  }
  rmSync(out, { recursive: true, force: true });
  finished[key] = result;
  if (options.resume) writeFileSync(options.resume, JSON.stringify(finished, null, 1));
  process.stderr.write(`${result.passes ? "passes" : "FAILS "} ${key}\n`);
  if (result.crashed) process.stderr.write(`${result.crashed}\n`);
  return result;
}

const [models, accuracies] = [[], []];
for (const model of listModels(path.join(options.data, "models"))) {
  if (!model.name.includes(options.only)) continue;
  models.push(await once(model.name, (out) => checkModel(library, model, { out })));
}
for (const entry of ACCURACIES) {
  if (!entry.model.includes(options.only)) continue;
  const measure = (out) => packageAccuracy(library, entry, { data: options.data, out });
  accuracies.push(await once(`accuracy of ${entry.model}`, measure));
}
rmSync(work, { recursive: true, force: true });

const engine = `Node ${process.versions.node}, V8 ${process.versions.v8}`;
const run = { date: new Date().toISOString().slice(0, 10), engine, models, accuracies };
const crashed = [...models, ...accuracies].some((r) => r.crashed);
if (options.json || options.only) process.stdout.write(`${JSON.stringify(run, null, 1)}\n`);
if (!options.only && !crashed) {
  const file = path.join(root, "docs/models.md");
  const settings = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(renderModels(run), { ...settings, filepath: file }));
}
process.exitCode = [...models, ...accuracies].every((r) => r.passes) ? 0 : 1;
