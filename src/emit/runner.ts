/** Runs an emitted module from its bytes: for certification while building, and for tests. */
import type { Variant } from "../kernels/tiles.js";
import { fromWords, toWords, wordsAt } from "../model/words.js";
import { sizeOf, type TensorData, type TensorRecord, type TensorValue } from "../model/types.js";
import type { LoweredPort } from "./steps.js";

interface Abi {
  memory: WebAssembly.Memory;
  weights_ptr(): number;
  setup(): void;
  selftest(): number;
  reset(): void;
  run(): void;
  input_ptr(i: number): number;
  output_ptr(i: number): number;
}

export interface ModuleRunner {
  readonly variant: Variant;
  /** One sample, in the source model's layout; returns copies. */
  run(inputs: TensorRecord | Readonly<Record<string, TensorData>>): Record<string, TensorValue>;
}

/** Null when this engine does not know the variant's instructions. Throws when the self-test fails. */
export function instantiateModule(
  variant: Variant,
  wasm: Uint8Array,
  weights: Uint8Array,
  inputs: readonly Pick<LoweredPort, "name" | "shape" | "dtype">[],
  outputs: readonly Pick<LoweredPort, "name" | "shape" | "dtype">[],
): ModuleRunner | null {
  if (!WebAssembly.validate(wasm as BufferSource)) return null;
  const abi = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource)).exports as unknown as Abi;
  new Uint8Array(abi.memory.buffer, abi.weights_ptr(), weights.length).set(weights);
  abi.setup();
  if (abi.selftest() !== 1) throw new Error(`internal: the self-test of variant ${variant} fails on this engine`);
  return {
    variant,
    run(values) {
      inputs.forEach((port, i) => {
        const given = values[port.name];
        const data = given && "data" in given ? given.data : given;
        const size = sizeOf(port.shape);
        if (data?.length !== size)
          throw new Error(`internal: input "${port.name}" needs ${size} values, got ${data?.length}`);
        wordsAt(abi.memory, port.dtype, abi.input_ptr(i), size).set(toWords(data, `the input "${port.name}"`));
      });
      abi.run();
      const result: Record<string, TensorValue> = {};
      outputs.forEach((port, i) => {
        const words = wordsAt(abi.memory, port.dtype, abi.output_ptr(i), sizeOf(port.shape)).slice();
        result[port.name] = { data: fromWords(words, port.dtype), shape: port.shape, dtype: port.dtype };
      });
      return result;
    },
  };
}
