import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import asc from "assemblyscript/asc";

/**
 * A folder with the ABI of an emitted package and a `run()` of known weight: `work` multiplications in a chain, one
 * input and one output of four floats. For tests of the measuring itself, which must not lean on the emitter.
 */
export async function writeTinyPackage(dir: string, work: number, options: { selftest?: number } = {}): Promise<void> {
  const source = `
    export function abi_version(): i32 { return 1; }
    export function weights_ptr(): usize { return 1024; }
    export function weights_bytes(): usize { return 16; }
    export function setup(): void {}
    export function selftest(): i32 { return ${options.selftest ?? 1}; }
    export function input_count(): i32 { return 1; }
    export function input_ptr(i: i32): usize { return 2048; }
    export function input_bytes(i: i32): usize { return 16; }
    export function output_count(): i32 { return 1; }
    export function output_ptr(i: i32): usize { return 3072; }
    export function output_bytes(i: i32): usize { return 16; }
    export function reset(): void {}
    export function run(): void {
      let x = load<f32>(2048);
      for (let i = 0; i < ${work}; i++) x = x * 0.999 + load<f32>(1024);
      store<f32>(3072, x);
    }`;
  let wasm: Uint8Array | undefined;
  const stderr = asc.createMemoryStream();
  const flags = [
    "--runtime",
    "stub",
    "-O2",
    "--noAssert",
    "--memoryBase",
    "65536",
    "--initialMemory",
    "1",
    "--maximumMemory",
    "1",
  ];
  const { error } = await asc.main(["tiny.ts", "--outFile", "tiny.wasm", ...flags], {
    stdout: asc.createMemoryStream(),
    stderr,
    readFile: (name) => (name === "tiny.ts" ? source : null),
    writeFile: (name, contents) => {
      if (name === "tiny.wasm") wasm = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !wasm) throw new Error(`tiny package does not compile: ${stderr.toString()}`);
  mkdirSync(dir, { recursive: true });
  const contents: Record<string, Uint8Array> = {
    "model.simd.wasm": wasm,
    "weights.bin": new Uint8Array(Float32Array.of(0.5, 0, 0, 0).buffer),
    "package.json": Buffer.from(JSON.stringify({ name: path.basename(dir), type: "module" })),
  };
  const files: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(contents)) {
    writeFileSync(path.join(dir, name), bytes);
    files[name] = createHash("sha256").update(bytes).digest("hex");
  }
  const ports = [{ dtype: "f32" }];
  writeFileSync(path.join(dir, "passport.json"), JSON.stringify({ inputs: ports, outputs: ports, files }));
}
