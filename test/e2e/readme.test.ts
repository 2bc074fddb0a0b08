import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "../../src/build/index.js";
import { DEMO_MODEL } from "../../src/build/demo.js";

const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");
const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((m) => m[1]!);
const lines = blocks.find((b) => b.includes('from "glyphs"'));

const root = mkdtempSync(path.join(tmpdir(), "idap-readme-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A project of a user who has installed the package that the demo leaves. */
beforeAll(async () => {
  mkdirSync(path.join(root, "node_modules"), { recursive: true });
  await build({ model: DEMO_MODEL, out: path.join(root, "node_modules/glyphs"), prune: false, measure: false });
  writeFileSync(path.join(root, "package.json"), JSON.stringify({ type: "module" }));
});

describe("README", () => {
  test("its five lines of TypeScript are five, type-check against the package, and run", () => {
    expect(lines, "a ts block that imports from glyphs").toBeDefined();
    expect(lines!.trim().split("\n")).toHaveLength(5);
    const source = path.join(root, "use.ts");
    writeFileSync(source, lines!);

    const options: ts.CompilerOptions = {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
      strict: true,
      types: [],
    };
    const program = ts.createProgram([source], options);
    const faults = ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"));
    expect(faults).toEqual([]);

    expect(program.emit().emitSkipped).toBe(false);
    const run = spawnSync(process.execPath, ["use.js"], { cwd: root, encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/^glyph \d, computed by the (simd|relaxed) module\n$/);
  });

  test("its first command is what it says", () => {
    expect(readme).toMatch(/^npm ci && npx idap demo$/m);
    expect(readme).toMatch(/^npm test$/m);
  });
});
