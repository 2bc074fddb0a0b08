import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "idap-library-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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

test("the README's use of the library has the types of the built package", () => {
  const readme = readFileSync(path.join(root, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map(([, c]) => c!)
    .filter((c) => c.includes(`from "idap"`));
  const code = blocks.find((c) => c.includes("maxDrop"))!;
  writeFileSync(path.join(folder, "package.json"), `{ "type": "module" }`);
  mkdirSync(path.join(folder, "node_modules"));
  symlinkSync(root, path.join(folder, "node_modules/idap"), "dir");
  const file = path.join(folder, "library.ts");
  expect(blocks.length).toBe(2);
  for (const block of blocks) {
    writeFileSync(file, block);
    expect(typeErrors(file)).toEqual([]);
  }
  writeFileSync(file, code.replace("maxDrop: 1.5", `maxDrop: "little"`));
  expect(typeErrors(file).join()).toMatch(/string/);
});
