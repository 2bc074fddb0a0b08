/**
 * What a decomposition needs of a reader. Decompositions write operators that the IR does not have as those that it
 * has, for every format alike. They take axes that are non-negative and checked, and leave the batch on one axis
 * wherever the operator does; where it cannot be followed, type inference says so (E_BATCH).
 */
import type { Attrs, Shape, TensorType } from "../../../model/types.js";

/** Adds a node with one output and returns its tensor. */
export type Emit = (op: string, inputs: readonly string[], attrs?: Attrs) => string;

export interface Emitter {
  readonly emit: Emit;
  typeOf(tensor: string): TensorType;
  /** Adds a constant, f32 or i32 as its array says, and returns its tensor. */
  constant(shape: Shape, data: Float32Array | Int32Array): string;
}

/** `x` under another shape of as many elements; `batchAxis` is where its batch goes, if it has one. */
export function reshapeTo(e: Emitter, x: string, shape: Shape, batchAxis: number | null): string {
  const batched = e.typeOf(x).batchAxis !== null;
  return e.emit("reshape", [x], { shape: shape.map((d, axis) => (batched && axis === batchAxis ? -1 : d)) });
}

/** `x` with an axis of extent 1 before `axis` (which may be its rank). */
export function insertAxis(e: Emitter, x: string, axis: number): string {
  const { shape, batchAxis } = e.typeOf(x);
  const to = batchAxis !== null && axis <= batchAxis ? batchAxis + 1 : batchAxis;
  return reshapeTo(e, x, [...shape.slice(0, axis), 1, ...shape.slice(axis)], to);
}

/** `x` without `axis`, whose extent is 1. */
export function dropAxis(e: Emitter, x: string, axis: number): string {
  const { shape, batchAxis } = e.typeOf(x);
  const to = batchAxis === axis ? null : batchAxis !== null && axis < batchAxis ? batchAxis - 1 : batchAxis;
  return reshapeTo(e, x, [...shape.slice(0, axis), ...shape.slice(axis + 1)], to);
}

/** Transposed, unless `perm` changes nothing. */
export function transposed(e: Emitter, x: string, perm: readonly number[]): string {
  return perm.every((p, axis) => p === axis) ? x : e.emit("transpose", [x], { perm: [...perm] });
}
