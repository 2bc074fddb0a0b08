/** AssemblyScript to WebAssembly for measuring: a package's own source with its layers exported, and the ceiling. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { scalarModule } from "../wasm/index.js";
import type { Variant } from "./engine.js";

async function compile(args: readonly string[], read: (name: string) => string | null): Promise<Uint8Array> {
  const { default: asc } = await import("assemblyscript/asc");
  let binary: Uint8Array | null = null;
  const messages: string[] = [];
  const { error } = await asc.main([...args], {
    readFile: read,
    writeFile: (_name: string, data: string | Uint8Array) => {
      if (typeof data !== "string") binary = data;
    },
    listFiles: () => [],
    stderr: { write: (text: string | Uint8Array) => (messages.push(String(text)), true) },
    stdout: { write: () => true },
  });
  if (error || !binary) throw new IdapError("E_MEASURE", `${args[0]!} does not compile: ${messages.join("").trim()}`);
  return binary;
}

/**
 * The module of a package compiled again from its source by the command in the source's first lines. That command keeps
 * every layer's export, which the shipped module lacks; the code is the same.
 */
export async function compileLayers(dir: string, variant: Variant): Promise<Uint8Array> {
  const folder = path.join(dir, "source");
  const entry = `model.${variant}.ts`;
  const again = "Build the package again.";
  if (!existsSync(path.join(folder, entry))) {
    throw new IdapError("E_MEASURE", `${dir}: source/${entry} is missing: a profile times what it compiles`, again);
  }
  const command = /Compile: asc (.*)/.exec(readFileSync(path.join(folder, entry), "utf8"))?.[1];
  if (command === undefined) {
    throw new IdapError("E_MEASURE", `${dir}: source/${entry} does not say how to compile it`, again);
  }
  const wasm = await compile(command.trim().split(/\s+/), (name) => {
    const file = path.join(folder, name);
    return existsSync(file) ? readFileSync(file, "utf8") : null;
  });
  return variant === "scalar" ? scalarModule(wasm) : wasm;
}

/** A module from one text without imports. */
export async function compileText(text: string, variant: Variant, pages: number): Promise<Uint8Array> {
  const enable = variant === "relaxed" ? "simd,relaxed-simd" : "simd";
  const args = ["ceiling.ts", "-o", "ceiling.wasm", "-O2", "--runtime", "stub", "--noAssert", "--enable", enable];
  const memory = ["--memoryBase", "4096", "--initialMemory", String(pages), "--maximumMemory", String(pages)];
  const wasm = await compile([...args, ...memory], (name) => (name === "ceiling.ts" ? text : null));
  return variant === "scalar" ? scalarModule(wasm) : wasm;
}

/** The driver for engines without JavaScript: its memory is imported from `env`, of exactly `pages`, and exported for WASI. */
export function compileDriver(text: string, pages: number): Promise<Uint8Array> {
  const args = ["driver.ts", "-o", "driver.wasm", "-O2", "--runtime", "stub", "--noAssert", "--importMemory"];
  const memory = ["--memoryBase", "2048", "--initialMemory", String(pages), "--maximumMemory", String(pages)];
  return compile([...args, ...memory], (name) => (name === "driver.ts" ? text : null));
}
