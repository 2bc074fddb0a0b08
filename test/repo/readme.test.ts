import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(path.join(root, "README.md"), "utf8");
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
const lines = blocks.find((code) => code.includes(`from "glyphs"`))!;

/** A user's folder in which the package is installed, unpruned: its interface is that of the one the demo leaves. */
const folder = mkdtempSync(path.join(tmpdir(), "idap-readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });

function typeErrors(file: string): string[] {
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipDefaultLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
    types: [],
  });
  return ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"));
}

describe("the README's five lines", () => {
  beforeAll(() => {
    mkdirSync(path.join(folder, "node_modules"), { recursive: true });
    writeFileSync(path.join(folder, "package.json"), `{ "type": "module" }`);
    const model = path.join(root, "examples/glyphs/model.onnx");
    const out = path.join(folder, "node_modules/glyphs");
    const run = node([path.join(root, "dist/cli/main.js"), "build", model, "--no-prune", "--no-measure", "--out", out]);
    expect(run.status, run.stderr).toBe(0);
  });

  test("there are five", () => expect(lines.trimEnd().split("\n")).toHaveLength(5));

  test("have the types that the package states", () => {
    const file = path.join(folder, "use.ts");
    writeFileSync(file, lines);
    expect(typeErrors(file)).toEqual([]);
    writeFileSync(file, lines.replace("{ image }", "{ picture: image }"));
    expect(typeErrors(file).join()).toMatch(/picture/);
  });

  test("run as they stand", () => {
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    writeFileSync(path.join(folder, "use.js"), ts.transpileModule(lines, { compilerOptions: options }).outputText);
    const run = node(["use.js"]);
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/^glyph \d, computed by the (simd|relaxed) module\n$/);
  });
});

test("the README's library lines have types too", () => {
  const code = blocks.find((b) => b.includes(`from "idap"`))!;
  mkdirSync(path.join(folder, "node_modules"), { recursive: true });
  symlinkSync(root, path.join(folder, "node_modules/idap"), "dir");
  const file = path.join(folder, "library.ts");
  writeFileSync(file, code);
  expect(typeErrors(file)).toEqual([]);
});
