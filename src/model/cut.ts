import type { TensorType } from "./types.js";

/** What an operator's `cut` rule sees: operand types before the cut and the indices that stay. */
export interface CutContext {
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  /** Ascending indices that stay on this axis (all of them when nothing is cut there). */
  keptInput(i: number, axis: number): readonly number[];
  keptOutput(i: number, axis: number): readonly number[];
}
