import type { TensorRecord, TensorValue } from "../model/types.js";

export interface ExecutorOptions {
  /** Worker threads; results do not depend on it. */
  readonly threads?: number;
  /** Allow relaxed SIMD: fused multiply-add, whose rounding may differ between machines. */
  readonly fast?: boolean;
  /** Samples that run at once; more are cut into chunks of it. Default 64. */
  readonly batch?: number;
}

/** Runs one graph. */
export interface Executor {
  readonly id: "wasm" | "reference";
  /** Any batch; keys are port names, layouts as in the source model. */
  run(inputs: TensorRecord): Promise<TensorRecord>;
  /** As run, and returns the named internal tensors too (keys: tensor names). */
  observe(inputs: TensorRecord, tensors: readonly string[]): Promise<Map<string, TensorValue>>;
  close(): Promise<void>;
}
