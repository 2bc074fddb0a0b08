import type { Words } from "../model/words.js";
import type { Place, Plan } from "./plan.js";

/** One WebAssembly memory that runs one plan. */
export interface Machine {
  /** The whole memory. */
  readonly floats: Float32Array;
  /** Exports of the host module, to be called with addresses from the plan. */
  readonly kernels: Readonly<Record<string, (...args: number[]) => void>>;
  /** One pass over the plan's calls. */
  run(): void;
  /** Fills the first `count` rows (of the last axis) of a tensor from `data`, starting at element `from`. */
  write(place: Place, data: ArrayLike<number>, from: number, count: number): void;
  /** The first `count` rows of a tensor into `out`, starting at element `to`. */
  read(place: Place, out: Words, to: number, count: number): void;
}

/** Allocates the memory, places the constants and runs the plan's set-up. */
export function createMachine(module: WebAssembly.Module, plan: Plan): Machine;
