/** AssemblyScript to WebAssembly, in this process. */
import { readFileSync } from "node:fs";
import type { Variant } from "../kernels/tiles.js";
import { compileOptions, isInternal } from "./source.js";
import { binaryOf, dropCustom, dropExports, factsOf, scalarModule, sectionsOf } from "../wasm/index.js";

const KERNELS = new URL("../../assembly/kernels/", import.meta.url);
const kernelTexts = new Map<string, string>();

export function kernelText(name: string): string {
  let text = kernelTexts.get(name);
  if (text === undefined) {
    text = readFileSync(new URL(`${name}.ts`, KERNELS), "utf8");
    kernelTexts.set(name, text);
  }
  return text;
}

/** Kernel files that a source imports, directly or not: path in the package's `source/` folder to text. */
export function kernelFiles(source: string): Map<string, string> {
  const files = new Map<string, string>();
  const visit = (text: string): void => {
    for (const [, name] of text.matchAll(/from "\.\/(?:kernels\/)?([a-z0-9-]+)";/g)) {
      const file = `kernels/${name}.ts`;
      if (files.has(file)) continue;
      files.set(file, kernelText(name!));
      visit(files.get(file)!);
    }
  };
  visit(source);
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Compiles one variant. Layer and tile functions are exported for the compiler's sake: code that Binaryen has pasted into
 * one function stays in V8's baseline tier until that returns, since V8 replaces WebAssembly functions at calls only. Second
 * run of ResNet-8 on Node 20 with layers pasted into `run()`: 12 ms, without 5 ms; loading MobileNetV2 with its self-test,
 * processor time, tiles pasted into layers: 107 ms on Node 20 and 94 ms on Node 24, without 77 and 81 ms (medians of 3),
 * and less code as brotli (8.9 kB and 6.9 kB, relaxed). Later runs are equal. The exports are taken off the result, and so
 * is what describes the compiler.
 * @param options of the compiler; tests of many modules leave out the optimiser, which takes nine tenths of the time
 */
export async function compileVariant(
  source: string,
  variant: Variant,
  pages: number,
  options: readonly string[] = compileOptions(variant, pages),
): Promise<Uint8Array> {
  const { default: asc } = await import("assemblyscript/asc");
  const entry = `model.${variant}.ts`;
  const files = new Map([[entry, source], ...kernelFiles(source)]);
  let binary: Uint8Array | null = null;
  const messages: string[] = [];
  const { error } = await asc.main([entry, "-o", "module.wasm", ...options], {
    readFile: (name: string) => files.get(name) ?? null,
    writeFile: (_name: string, data: string | Uint8Array) => {
      if (typeof data !== "string") binary = data;
    },
    listFiles: () => [],
    stderr: { write: (text: string | Uint8Array) => (messages.push(String(text)), true) },
    stdout: { write: () => true },
  });
  if (error || !binary)
    throw new Error(`internal: the emitted source does not compile: ${messages.join("") || String(error)}`);
  const compiled = variant === "scalar" ? await scalarModule(binary, options.includes("-O2")) : binary;
  const sections = dropExports(dropCustom(sectionsOf(compiled)), isInternal);
  const wasm = binaryOf(sections);
  const facts = factsOf(wasm);
  if (facts.imports > 0 || facts.dataBytes > 0 || facts.memory?.initial !== pages || facts.memory.maximum !== pages) {
    throw new Error(
      `internal: the module must have no imports, no data and ${pages} pages, got ${JSON.stringify(facts)}`,
    );
  }
  return wasm;
}
