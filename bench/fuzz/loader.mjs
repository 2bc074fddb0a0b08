// Lets Node run the tests' TypeScript builders. What they import of src/ is taken from a folder of the built package.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const source = new URL("../../src/", import.meta.url).href;
let library = source;

/** @param data { library: URL of the folder, with a slash at the end } */
export function initialize(data) {
  library = data.library;
}

export async function resolve(specifier, context, next) {
  if (!specifier.startsWith(".") || !context.parentURL) return next(specifier, context);
  let { href } = new URL(specifier, context.parentURL);
  if (href.startsWith(source)) href = library + href.slice(source.length);
  if (href.endsWith(".js") && !existsSync(fileURLToPath(href))) {
    const typed = href.replace(/\.js$/, ".ts");
    if (existsSync(fileURLToPath(typed))) return { url: typed, format: "module", shortCircuit: true };
  }
  return next(href, context);
}

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const { outputText } = ts.transpileModule(readFileSync(fileURLToPath(url), "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true },
  });
  return { format: "module", source: outputText, shortCircuit: true };
}
