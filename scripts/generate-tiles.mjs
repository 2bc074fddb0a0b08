// Writes assembly/kernels/tiles.ts from src/kernels/tile-source.ts. `--check` only compares (exit code 1 when stale).
import { readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";

const root = new URL("../", import.meta.url);
const source = readFileSync(new URL("src/kernels/tile-source.ts", root), "utf8");
const { outputText } = ts.transpileModule(source, { compilerOptions: { module: "esnext", target: "es2022" } });
const { genericTilesFile } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);

const target = new URL("assembly/kernels/tiles.ts", root);
const text = genericTilesFile();
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    console.error(
      "assembly/kernels/tiles.ts is not what src/kernels/tile-source.ts generates: run node scripts/generate-tiles.mjs",
    );
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
