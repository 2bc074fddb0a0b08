import { permute } from "../../shared/permute.js";
import { channelsLast } from "../context.js";
import { isOne, type OnnxOp } from "../op.js";
import type { Constant } from "../wire.js";

/** A constant operand with its axes where a partner of rank `rank` with channels last has them. */
export function alignedToLast(c: Constant, rank: number): Constant {
  if (c.shape.length < rank && isOne(c)) return c;
  const padded = [...new Array<number>(rank - c.shape.length).fill(1), ...c.shape];
  const perm = channelsLast(rank);
  const shape = perm.map((p) => padded[p]!);
  const data = permute(c.data, padded, perm);
  if (c.shape.length === rank) return { dtype: c.dtype, shape, data };
  let unit = 0;
  while (shape[unit] === 1) unit++;
  return { dtype: c.dtype, shape: shape.slice(unit), data };
}

/** Operands of a broadcasting operator in one common order, and whether that has channels last. */
export function commonOrder(op: OnnxOp, indices: readonly number[]): { tensors: string[]; last: boolean } {
  const ranks = indices.map((i) => op.type(i).shape.length);
  const rank = Math.max(...ranks);
  const fixed = (i: number): boolean => op.isConstant(i) && op.constant(i)?.alt === undefined;
  const last =
    rank > 2 &&
    indices.every((i, k) => fixed(i) || ranks[k] === rank) &&
    indices.some((i) => !fixed(i) && op.hasLast(i));
  const get = (i: number): string => {
    if (!last) return op.input(i);
    if (!fixed(i)) return op.inputLast(i);
    return op.context.constantAs(op.inputName(i), `last of ${rank}`, (c) => alignedToLast(c, rank));
  };
  return { tensors: indices.map(get), last };
}

/** All operands that are there. */
export function allInputs(op: OnnxOp): number[] {
  return op.node.input.map((_, i) => i);
}
