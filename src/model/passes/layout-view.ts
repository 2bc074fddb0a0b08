/** What the transpose pass knows of a tensor of the source graph: which tensor of the new graph it is, permuted how. */
import { allocate, sizeOf, stridesOf, type Dtype, type Shape, type TensorData } from "../types.js";

/**
 * The source tensor is transpose(tensor, perm). With `flat` it is one step further: `tensor` is the row-major flattening
 * of a tensor in another layout, and the source tensor is reshape(transpose(reshape(tensor, inner), perm), target).
 */
export interface View {
  readonly tensor: string;
  readonly perm: readonly number[];
  readonly flat?: Flat;
}

export interface Flat {
  /** `shape` attributes of the two reshapes, -1 on the batch axis. */
  readonly inner: readonly number[];
  readonly perm: readonly number[];
  readonly target: readonly number[];
  /** Element j of a source row is element map[j] of a row of `tensor`. */
  readonly map: Int32Array;
}

export function identityPerm(rank: number): number[] {
  return Array.from({ length: rank }, (_, i) => i);
}

export function isIdentity(perm: readonly number[]): boolean {
  return perm.every((p, i) => p === i);
}

/** transpose(transpose(x, first), second) = transpose(x, composePerm(first, second)). */
export function composePerm(first: readonly number[], second: readonly number[]): number[] {
  return second.map((axis) => first[axis]!);
}

/** The r with transpose(x, held) = transpose(transpose(x, r), wanted). */
export function relativePerm(held: readonly number[], wanted: readonly number[]): number[] {
  const r = new Array<number>(held.length);
  wanted.forEach((w, k) => (r[w] = held[k]!));
  return r;
}

/** Whether transposing `shape` by `perm` leaves the elements in order, so that a reshape does the same. */
export function keepsOrder(shape: Shape, perm: readonly number[], batchAxis: number | null): boolean {
  const moving = perm.filter((p) => shape[p] !== 1 || p === batchAxis);
  return moving.every((p, i) => i === 0 || moving[i - 1]! < p);
}

/** A constant with its axes permuted. */
export function permuteData(data: TensorData, dtype: Dtype, shape: Shape, perm: readonly number[]): TensorData {
  const to = perm.map((p) => shape[p]!);
  const from = stridesOf(shape);
  const strides = perm.map((p) => from[p]!);
  const out = allocate(dtype, sizeOf(shape));
  const index = new Array<number>(perm.length).fill(0);
  let at = 0;
  for (let q = 0; q < out.length; q++) {
    out[q] = data[at]!;
    for (let k = perm.length - 1; k >= 0; k--) {
      at += strides[k]!;
      if (++index[k]! < to[k]!) break;
      at -= strides[k]! * to[k]!;
      index[k] = 0;
    }
  }
  return out;
}

/** `Flat.map` for rows of the axes from 1 on: `held` is the shape of the held tensor, `perm` as in a view. */
export function flatMap(held: Shape, perm: readonly number[]): Int32Array {
  const n = sizeOf(held.slice(1));
  const numbers = Int32Array.from({ length: n }, (_, i) => i);
  return permuteData(numbers, "i32", [1, ...held.slice(1)], perm) as Int32Array;
}
