/** Kernels compiled alone, as the host compiles them: sizes as arguments, strict SIMD. */
import { readFileSync } from "node:fs";
import asc from "assemblyscript/asc";

export type Kernel = (...args: number[]) => number;
export type Kernels = Readonly<Record<string, Kernel>> & { readonly memory: WebAssembly.Memory };

/** Instance of a module with the exports of `entry`, an AssemblyScript text beside the kernels. */
export async function compileKernels(entry: string): Promise<Kernels> {
  const folder = new URL("../../assembly/kernels/", import.meta.url);
  let binary = new Uint8Array();
  const flags = ["-O2", "--runtime", "stub", "--noAssert", "--enable", "simd", "--initialMemory", "32"];
  const { error } = await asc.main(["entry.ts", "-o", "out.wasm", ...flags], {
    readFile: (name: string) => {
      if (name === "entry.ts") return entry;
      return /^[a-z]+\.ts$/.test(name) ? readFileSync(new URL(name, folder), "utf8") : null;
    },
    writeFile: (_: string, data: string | Uint8Array) => {
      if (typeof data !== "string") binary = Uint8Array.from(data);
    },
    listFiles: () => [],
  });
  if (error) throw error;
  return new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as unknown as Kernels;
}

/** First byte that tests may use. */
export const FREE = 65536;
