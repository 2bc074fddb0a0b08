// Builds dist/: generated files are current, TypeScript compiled, host WebAssembly compiled, JSON data copied.
// `npm ci` runs this through `prepare`, and so does the first `npx idap` in a clone (npm links the package into its own
// cache); a build whose inputs have not changed therefore ends at once. `--force` builds in any case.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const stampFile = at("dist/.inputs");

/** Files below a folder, relative to the root, in a fixed order. */
function filesBelow(folder) {
  return readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .sort();
}

function inputsHash() {
  const hash = createHash("sha256");
  const single = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
  for (const file of [...single, ...["assembly", "scripts", "src"].flatMap(filesBelow)]) {
    hash.update(`${file}\n`).update(readFileSync(at(file)));
  }
  return hash.digest("hex");
}

function run(label, args) {
  const started = performance.now();
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (result.status !== 0) {
    process.stderr.write(`build: ${label} failed\n${result.stdout ?? ""}${result.stderr ?? ""}`);
    process.exit(result.status ?? 1);
  }
  console.log(`build: ${label} ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

const inputs = inputsHash();
if (!process.argv.includes("--force") && existsSync(stampFile) && readFileSync(stampFile, "utf8") === inputs) {
  console.log("build: nothing has changed");
  process.exit(0);
}
rmSync(stampFile, { force: true });

run("indexes are current", ["scripts/generate-indexes.mjs", "--check"]);
run("kernel tiles are current", ["scripts/generate-tiles.mjs", "--check"]);
run("typescript", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
run("host kernels", ["scripts/build-host-wasm.mjs"]);

// tsc copies the JSON that is imported; JSON that is read at run time is copied here, and so is what devices load.
for (const file of filesBelow("src").filter(
  (f) => f.endsWith(".json") || f.startsWith(path.join("src/measure/device/")),
)) {
  cpSync(at(file), at("dist", path.relative("src", file)));
}
chmodSync(at("dist/cli/main.js"), 0o755);
writeFileSync(stampFile, inputs);
