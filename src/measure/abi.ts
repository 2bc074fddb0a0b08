import type { Dtype } from "../model/types.js";

/** The exports of an emitted module: its whole interface, see the package's passport for shapes. */
export interface Abi {
  readonly memory: WebAssembly.Memory;
  abi_version(): number;
  weights_ptr(): number;
  weights_bytes(): number;
  setup(): void;
  selftest(): number;
  input_count(): number;
  input_ptr(i: number): number;
  input_bytes(i: number): number;
  output_count(): number;
  output_ptr(i: number): number;
  output_bytes(i: number): number;
  reset(): void;
  run(): void;
}

/** Functions that every module exports, beside `memory`. */
export const ABI_FUNCTIONS = [
  "abi_version",
  "weights_ptr",
  "weights_bytes",
  "setup",
  "selftest",
  "input_count",
  "input_ptr",
  "input_bytes",
  "output_count",
  "output_ptr",
  "output_bytes",
  "reset",
  "run",
] as const;

/** Copies `weights` in and prepares the module, as the glue does. */
export function loadWeights(abi: Abi, weights: Uint8Array): void {
  new Uint8Array(abi.memory.buffer, abi.weights_ptr(), abi.weights_bytes()).set(weights);
  abi.setup();
}

/** What lies in memory: f32, or i32 for every other dtype. */
export type Words = Float32Array | Int32Array;

/** A port as the passport states it. */
export interface AbiPort {
  readonly dtype: Dtype;
  readonly bytes: number;
}

function wordsAt(abi: Abi, { dtype, bytes }: AbiPort, address: number): Words {
  const View = dtype === "f32" ? Float32Array : Int32Array;
  return new View(abi.memory.buffer, address, bytes / 4);
}

/** Inputs in, one run, copies of the outputs back. */
export function runOnce(
  abi: Abi,
  ports: { readonly inputs: readonly AbiPort[]; readonly outputs: readonly AbiPort[] },
  values: readonly Words[],
): Words[] {
  ports.inputs.forEach((port, i) => wordsAt(abi, port, abi.input_ptr(i)).set(values[i]!));
  abi.run();
  return ports.outputs.map((port, i) => wordsAt(abi, port, abi.output_ptr(i)).slice());
}

/**
 * The stored test vector. With u = i * 2654435761 mod 2^32, value i of an input is (u / 2^31 - 1) * scale + offset, rounded
 * once to f32; of u8 and i8 the top byte of u, of other dtypes its top bit. Integer arithmetic and exact scaling: the same
 * bits on every engine.
 */
export function testVector({ dtype, bytes }: AbiPort, scale: number, offset: number): Words {
  const mixed = (i: number): number => Math.imul(i, 2654435761) >>> 0;
  const length = bytes / 4;
  if (dtype === "f32") return Float32Array.from({ length }, (_, i) => (mixed(i) / 2147483648 - 1) * scale + offset);
  return Int32Array.from({ length }, (_, i) => {
    if (dtype === "u8") return mixed(i) >>> 24;
    if (dtype === "i8") return (mixed(i) | 0) >> 24;
    return mixed(i) >>> 31;
  });
}

/** Bytes of outputs as their interface has them: what hashes are made of. */
export function interfaceBytes(words: Words, dtype: Dtype): Uint8Array {
  const bytes = (a: ArrayBufferView): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  switch (dtype) {
    case "f32":
    case "i32":
      return bytes(words);
    case "i8":
      return bytes(Int8Array.from(words));
    case "u8":
    case "bool":
      return bytes(Uint8Array.from(words));
    case "i64":
      return bytes(BigInt64Array.from(words as Int32Array, BigInt));
  }
}
