import type { Dtype } from "../model/types.js";
import { wordsAt, type Words } from "../model/words.js";

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

/** Copies `weights` in and prepares the module, as the glue does; null where the module has them inside. */
export function loadWeights(abi: Abi, weights: Uint8Array | null): void {
  if (weights) new Uint8Array(abi.memory.buffer, abi.weights_ptr(), weights.length).set(weights);
  abi.setup();
}

/** A port as the passport states it. */
export interface AbiPort {
  readonly dtype: Dtype;
  readonly bytes: number;
}

/** Inputs in, one run, copies of the outputs back. */
export function runOnce(
  abi: Abi,
  ports: { readonly inputs: readonly AbiPort[]; readonly outputs: readonly AbiPort[] },
  values: readonly Words[],
): Words[] {
  ports.inputs.forEach((port, i) => wordsAt(abi.memory, port.dtype, abi.input_ptr(i), port.bytes / 4).set(values[i]!));
  abi.run();
  return ports.outputs.map((port, i) => wordsAt(abi.memory, port.dtype, abi.output_ptr(i), port.bytes / 4).slice());
}
