/** What the driver of wasmtime-driver.ts writes: f64, little endian, and the bytes of outputs between them. */
import { IdapError } from "../model/errors.js";
import type { TimedPackage } from "./device/timing.mjs";

export type DriverFigures = Omit<TimedPackage, "variant" | "load" | "download" | "memoryBytes" | "processBytes"> & {
  readonly weightsMs: number;
  readonly selftestMs: number;
};

export type DriverAnswer =
  | { readonly clockStepMs: number; readonly packages: readonly DriverFigures[]; readonly failed: null }
  /** Number of the package whose self-test failed. */
  | { readonly failed: number };

export function parseDriverOutput(output: Buffer, count: number): DriverAnswer {
  let at = 0;
  const bytes = (n: number): Buffer => {
    if (at + n > output.length) throw new IdapError("E_MEASURE", "the engine's answer ends too early");
    at += n;
    return output.subarray(at - n, at);
  };
  const next = (): number => bytes(8).readDoubleLE();
  const column = (): number[] => Array.from({ length: next() }, () => Number(next().toPrecision(6)));
  const some = (values: number[]): number[] | null => (values.length === 0 ? null : values);

  const clockStepMs = next();
  for (let k = 0; k < count; k++) if (next() !== 1) return { failed: k };
  const outputs = Array.from({ length: count }, () => {
    const sizes = Array.from({ length: next() }, next);
    return sizes.map((size) => bytes(size).toString("hex"));
  });
  const packages = Array.from({ length: count }, (_, k) => {
    const [weightsMs, selftestMs, firstRunMs, batch, rounds, minMs] = Array.from({ length: 6 }, next);
    return {
      weightsMs: weightsMs!,
      selftestMs: selftestMs!,
      firstRunMs: firstRunMs!,
      batch: batch!,
      count: rounds!,
      minMs: minMs!,
      samples: column(),
      first: some(column()),
      last: some(column()),
      timeline: column(),
      outputs: outputs[k]!,
    };
  });
  return { clockStepMs, packages, failed: null };
}
