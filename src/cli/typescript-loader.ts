import { createRequire, register } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { IdapError } from "../model/errors.js";

/**
 * Hooks (`node:module`, register) that turn TypeScript modules into JavaScript with the project's own compiler: types are
 * taken away and nothing is checked, as Node does it itself from 22.18 on. They run in a thread of their own, which is why
 * they are text.
 */
const HOOKS = `
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
let ts;
export async function initialize({ compiler }) {
  ts = (await import(compiler)).default;
}
export async function load(url, context, next) {
  if (!/^file:[^?#]*\\.m?ts([?#]|$)/.test(url)) return next(url, context);
  const fileName = fileURLToPath(url);
  const { outputText, diagnostics } = ts.transpileModule(await readFile(fileName, "utf8"), {
    fileName,
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true, inlineSourceMap: true },
  });
  const wrong = diagnostics.find((d) => d.category === ts.DiagnosticCategory.Error);
  if (wrong) {
    const { line, character } = wrong.file.getLineAndCharacterOfPosition(wrong.start);
    throw new SyntaxError(fileName + ":" + (line + 1) + ":" + (character + 1) + " " + ts.flattenDiagnosticMessageText(wrong.messageText, " "));
  }
  return { format: "module", source: outputText, shortCircuit: true };
}`;

let registered = false;

/**
 * Makes `import()` of TypeScript files work: Node reads them itself from 22.18 (without types, which is all that is
 * needed); before, the `typescript` that the file's own project has installed translates them.
 * Throws E_CONFIG where there is neither.
 */
export function enableTypeScript(file: string): void {
  const { typescript } = process.features as { typescript?: false | "strip" | "transform" };
  if (typescript || registered) return;
  let compiler: string;
  try {
    compiler = createRequire(path.resolve(file)).resolve("typescript");
  } catch {
    throw new IdapError(
      "E_CONFIG",
      `${path.basename(file)} is TypeScript, which this Node (${process.version}) does not read, and its project has no typescript`,
      "Write it as idap.config.mjs, run npm install -D typescript, or use Node 22.18 or newer.",
    );
  }
  register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, {
    data: { compiler: pathToFileURL(compiler).href },
  });
  registered = true;
}
