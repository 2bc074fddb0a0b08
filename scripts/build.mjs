// Builds dist/: generated indexes are current, TypeScript compiled, host WebAssembly compiled, JSON data copied.
// `npm ci` runs this through `prepare`, so it prints little and fails with the output of the step that failed.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const clean = process.argv.includes("--clean");

function run(label, args) {
  const started = performance.now();
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (result.status !== 0) {
    process.stderr.write(`build: ${label} failed\n${result.stdout ?? ""}${result.stderr ?? ""}`);
    process.exit(result.status ?? 1);
  }
  console.log(`build: ${label} ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (clean) rmSync(path.join(root, "dist"), { recursive: true, force: true });
run("indexes are current", ["scripts/generate-indexes.mjs", "--check"]);
run("kernel tiles are current", ["scripts/generate-tiles.mjs", "--check"]);
run("typescript", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
run("host kernels", ["scripts/build-host-wasm.mjs"]);

// tsc copies the JSON that is imported; JSON that is read at run time is copied here.
for (const entry of readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".json")) continue;
  const from = path.join(entry.parentPath, entry.name);
  cpSync(from, path.join(root, "dist", path.relative(path.join(root, "src"), from)));
}

const main = path.join(root, "dist/cli/main.js");
if (existsSync(main)) chmodSync(main, 0o755);
