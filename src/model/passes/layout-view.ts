/** What the transpose pass knows of a tensor of the source graph: which tensor of the new graph it is, permuted how. */
import { allocate, sizeOf, stridesOf, type Dtype, type Shape, type TensorData, type TensorType } from "../types.js";

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

/** A run of source axes whose elements become those of a run of result axes. */
interface Block {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * A reshape from `source` to `result` that only splits and joins axes which lie side by side in the held tensor too, where
 * source = transpose(held, perm): the result's axes in the order in which the held tensor then has them, and the
 * permutation from there to the result. Null for other reshapes.
 */
export function regroup(
  source: TensorType,
  result: TensorType,
  perm: readonly number[],
): { readonly axes: readonly number[]; readonly perm: readonly number[] } | null {
  const blocks = blocksOf(source, result);
  if (!blocks) return null;
  const moves = (axis: number): boolean => source.shape[axis] !== 1 || axis === source.batchAxis;
  /** Moving source axes in the order of the held tensor. */
  const order = identityPerm(perm.length)
    .filter(moves)
    .sort((a, b) => perm[a]! - perm[b]!);
  const axes: number[] = [];
  for (let at = 0; at < order.length;) {
    const block = blocks.find(({ from }) => from.includes(order[at]!))!;
    const run = block.from.filter(moves);
    if (run.some((axis, i) => order[at + i] !== axis)) return null;
    axes.push(...block.to);
    at += run.length;
  }
  // Axes of extent 1 that come from such axes alone lie anywhere.
  result.shape.forEach((_, axis) => {
    if (!axes.includes(axis)) axes.push(axis);
  });
  return { axes, perm: result.shape.map((_, axis) => axes.indexOf(axis)) };
}

/** The smallest runs of axes with the same number of elements on both sides; the batch is a run of its own. */
function blocksOf(source: TensorType, result: TensorType): Block[] | null {
  const blocks: Block[] = [];
  let i = 0;
  let j = 0;
  while (i < source.shape.length || j < result.shape.length) {
    const from: number[] = [];
    const to: number[] = [];
    const take = (): void => {
      if (i < source.shape.length) from.push(i++);
      if (j < result.shape.length) to.push(j++);
    };
    take();
    const size = (type: TensorType, run: readonly number[]): number => sizeOf(run.map((axis) => type.shape[axis]!));
    while (size(source, from) !== size(result, to)) {
      if (size(source, from) < size(result, to)) {
        if (i === source.shape.length) return null;
        from.push(i++);
      } else {
        if (j === result.shape.length) return null;
        to.push(j++);
      }
    }
    const batchIn = source.batchAxis !== null && from.includes(source.batchAxis);
    const batchOut = result.batchAxis !== null && to.includes(result.batchAxis);
    if (batchIn !== batchOut || (batchIn && (from.length > 1 || to.length > 1))) return null;
    blocks.push({ from, to });
  }
  return blocks;
}
