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

/** Inputs in, one run, copies of the outputs back. */
export function runOnce(abi: Abi, inputs: readonly Float32Array[]): Float32Array[] {
  inputs.forEach((x, i) => new Float32Array(abi.memory.buffer, abi.input_ptr(i), x.length).set(x));
  abi.run();
  return Array.from({ length: abi.output_count() }, (_, i) =>
    new Float32Array(abi.memory.buffer, abi.output_ptr(i), abi.output_bytes(i) / 4).slice(),
  );
}

/**
 * The stored test vector: value i of every input is `((i * 2654435761 mod 2^32) / 2^31 - 1) * scale + offset`, rounded
 * once to f32. Integer arithmetic and exact scaling: the same bits on every engine.
 */
export function testVector(count: number, scale: number, offset: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => ((Math.imul(i, 2654435761) >>> 0) / 2147483648 - 1) * scale + offset,
  );
}
