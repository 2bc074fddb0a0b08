/** Kernels that take four axes with any strides, applied to tensors of any rank. */
import type { Shape } from "../model/types.js";

type Emit = (kernel: string, ...args: number[]) => void;

/** What a strided kernel needs of an operand. */
export interface Strided {
  readonly address: number;
  readonly strides: readonly number[];
}

export interface Block {
  readonly extents: readonly [number, number, number, number];
  /** One address and four strides for each operand. */
  readonly addresses: readonly number[];
  readonly strides: readonly (readonly [number, number, number, number])[];
}

/**
 * The index space `shape` as blocks of four axes: extents of 1 are dropped, axes that continue one another in all
 * operands are merged, and what is left beyond four is unrolled, in row-major order.
 */
export function blocks(shape: Shape, operands: readonly Strided[]): Block[] {
  const axes: { extent: number; steps: number[] }[] = [];
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const steps = operands.map((o) => o.strides[axis]!);
    const before = axes[axes.length - 1];
    if (before && before.steps.every((s, i) => s === steps[i]! * extent)) {
      axes[axes.length - 1] = { extent: before.extent * extent, steps };
    } else {
      axes.push({ extent, steps });
    }
  });
  while (axes.length < 4) axes.unshift({ extent: 1, steps: operands.map(() => 0) });
  const outer = axes.slice(0, -4);
  const inner = axes.slice(-4);
  const result: Block[] = [];
  const visit = (depth: number, addresses: number[]): void => {
    const axis = outer[depth];
    if (!axis) {
      result.push({
        extents: inner.map((a) => a.extent) as [number, number, number, number],
        addresses,
        strides: operands.map((_, i) => inner.map((a) => a.steps[i]!) as [number, number, number, number]),
      });
      return;
    }
    for (let k = 0; k < axis.extent; k++)
      visit(
        depth + 1,
        addresses.map((a, i) => a + k * axis.steps[i]!),
      );
  };
  visit(
    0,
    operands.map((o) => o.address),
  );
  return result;
}

/** to[index] = from[index] over `shape`. */
export function copyStrided(call: Emit, from: Strided, to: Strided, shape: Shape): void {
  for (const { extents, addresses, strides } of blocks(shape, [from, to])) {
    call("copy_strided", addresses[0]!, addresses[1]!, ...extents, ...strides[0]!, ...strides[1]!);
  }
}

/** Strides of a broadcast operand over the axes of `shape`: 0 where it repeats. Axes align from the right. */
export function broadcastStrides(
  from: { readonly shape: Shape; readonly strides: readonly number[] },
  shape: Shape,
): number[] {
  return shape.map((d, axis) => {
    const i = axis - shape.length + from.shape.length;
    return i < 0 || (from.shape[i] === 1 && d !== 1) ? 0 : from.strides[i]!;
  });
}

/** Strides of a reduced tensor over the axes of the full one: 0 on the reduced axes, whether they were kept or not. */
export function reducedStrides(
  reduced: { readonly shape: Shape; readonly strides: readonly number[] },
  rank: number,
  axes: readonly number[],
): number[] {
  const kept = reduced.shape.length === rank;
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => {
    const gone = axes.includes(axis);
    const i = kept ? axis : next;
    if (!gone) next++;
    return gone ? 0 : reduced.strides[i]!;
  });
}
