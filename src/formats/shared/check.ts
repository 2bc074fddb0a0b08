import { IdapError } from "../../model/errors.js";

/** Extents beyond these are damage, not models; they keep all products exact in a double. */
const MAX_RANK = 8;
const MAX_SIZE = 2 ** 40;

/** Throws unless `shape` could be the shape of a tensor; returns it. */
export function checkShape(shape: readonly number[], what: string): readonly number[] {
  if (shape.length > MAX_RANK) {
    throw new IdapError("E_FORMAT", `${what} has rank ${shape.length}; at most ${MAX_RANK} is read`);
  }
  let size = 1;
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 1) {
      throw new IdapError("E_FORMAT", `${what} has the shape [${shape}]; every extent must be at least 1`);
    }
    size *= d;
  }
  if (size > MAX_SIZE) throw new IdapError("E_FORMAT", `${what} has the impossible shape [${shape}]`);
  return shape;
}

/** Most values of a table, or parts of a tensor, that a few numbers in a file may ask for. */
const MOST_MADE = 1 << 24;
const MOST_PARTS = 1 << 16;

/** The size of a table that a reader makes for a node; throws where no model can mean it. */
export function tableSize(count: number, where: string): number {
  if (count >= 0 && count <= MOST_MADE) return count;
  throw new IdapError("E_FORMAT", `${where} asks for a table of ${count} values`);
}

/** Into how many parts a node cuts a tensor; throws where no model can mean it. */
export function partCount(count: number, where: string): number {
  if (count >= 0 && count <= MOST_PARTS) return count;
  throw new IdapError("E_FORMAT", `${where} cuts a tensor into ${count} parts`);
}

/** A non-negative axis from one that may count from the end. */
export function axisOf(axis: number, rank: number, where: string): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new IdapError("E_FORMAT", `${where}: axis ${axis} does not exist in a tensor of rank ${rank}`);
  }
  return positive;
}

/** Ascending, distinct, non-negative axes. */
export function axesOf(axes: readonly number[], rank: number, where: string): number[] {
  return [...new Set(axes.map((a) => axisOf(a, rank, where)))].sort((a, b) => a - b);
}

/** Throws unless `perm` orders all axes of a tensor of this rank. */
export function permOf(perm: readonly number[], rank: number, where: string): number[] {
  if (perm.length !== rank || axesOf(perm, rank, where).length !== rank) {
    throw new IdapError("E_FORMAT", `${where}: [${perm}] is no order of the axes of a tensor of rank ${rank}`);
  }
  return perm.map((p) => axisOf(p, rank, where));
}
