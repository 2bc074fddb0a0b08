// Reads one damaged model after another, as its parent asks: { format, number } gives what came of it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { FORMATS, mutant } from "./mutate.mjs";

const [folderOfLibrary, models, work, keep] = process.argv.slice(2);
const library = pathToFileURL(`${path.resolve(folderOfLibrary)}/`).href;
register("./loader.mjs", { parentURL: import.meta.url, data: { library } });
const { fuzzSeeds } = await import("../../test/support/fuzz-seeds.ts");
const { readModel } = await import(
  `${library}formats/index.${existsSync(new URL("formats/index.js", library)) ? "js" : "ts"}`
);
const seeds = fuzzSeeds(models);
const folder = keep || mkdtempSync(path.join(work, "worker-"));

/** "graph", an error's code, or what must not be, with the error. */
async function outcomeOf(file) {
  try {
    await readModel(file);
    return { outcome: "graph" };
  } catch (error) {
    const fault = faultOf(error);
    return fault ? { outcome: "failure", fault } : { outcome: error.code, message: error.message };
  }
}

function faultOf(error) {
  if (error?.constructor?.name !== "IdapError") return String(error?.stack ?? error).slice(0, 1500);
  if (!/^E_[A-Z_]+$/.test(error.code)) return `code ${error.code}`;
  if (error.message.length < 10 || /\n\s+at /.test(error.message)) return `unclear: ${error.message.slice(0, 500)}`;
  if (error.message.length > 5000) return `a message of ${error.message.length} characters`;
  return null;
}

process.on("message", async ({ format, number }) => {
  const { files, main, description } = mutant(format, seeds[format], number);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(path.join(folder, name), bytes);
  process.send({ started: true, description });
  const begin = process.cpuUsage();
  const result = await outcomeOf(path.join(folder, main));
  const { user, system } = process.cpuUsage(begin);
  process.send({ ...result, seconds: (user + system) / 1e6, bytes: 1024 * process.resourceUsage().maxRSS });
});
process.send({ ready: true, seeds: Object.fromEntries(FORMATS.map((f) => [f, seeds[f].length])) });
