import type { TensorType } from "./types.js";

/** An axis of an operand of the node whose rule is running. */
export interface AxisRef {
  readonly tensor: string;
  readonly axis: number;
}

/**
 * What an operator's `couple` rule sees. An axis that a rule does not mention is frozen by that node.
 * Negative axes count from the end.
 */
export interface Coupling {
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  input(i: number, axis: number): AxisRef;
  output(i: number, axis: number): AxisRef;
  /** These axes have the same extent and index i of one is index i of every other. */
  tie(...axes: AxisRef[]): void;
  /** Index i of `a` is index `map(i)` of `b`, for every i of `a`: repeats, offsets, blocks. */
  tieMap(a: AxisRef, b: AxisRef, map: (i: number) => number): void;
  /** All indices of each block of `blocks` equal runs of `a` live or die as one. */
  block(a: AxisRef, blocks: number): void;
  /** This node does not mind cuts here and relates the axis to nothing else. */
  free(a: AxisRef): void;
  /** No index of this axis may be cut; `reason` completes "cannot be cut because ...". */
  freeze(a: AxisRef, reason: string): void;
}
