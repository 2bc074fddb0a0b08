/**
 * Axes as products of factors: what a chain of reshapes and transposes makes of a tensor, index by index.
 *
 * Every axis is a list of factors, outermost first. A reshape that splits an axis splits its factors, everywhere at once,
 * so that tensors that were traced apart speak of the same factors. Axes of extent 1 have none, unless it is the batch.
 */
import { sizeOf, type Node, type Shape, type TensorType } from "../types.js";
import type { View } from "./rewrite.js";

/** A factor of an extent; the batch one stands for `extent` times the batch size. */
export interface Factor {
  readonly extent: number;
  readonly batch: boolean;
  /** The one index that is taken of it, where it is no index of the traced tensor. */
  readonly taken?: number;
  parts?: readonly Factor[];
}

export type Axis = readonly Factor[];

export const isWhole = ({ extent, batch }: Factor): boolean => extent === 1 && !batch;

/** One factor for each axis of a shape. */
export function axesOf({ shape, batchAxis }: TensorType): Axis[] {
  return shape.map((extent, i) => {
    const factor = { extent, batch: i === batchAxis };
    return isWhole(factor) ? [] : [factor];
  });
}

/** The factors that are left of a list after all splits. */
export function leavesOf(axis: Axis): Factor[] {
  return axis.flatMap((f) => (f.parts ? leavesOf(f.parts) : [f]));
}

export function extentOf(axis: Axis): number {
  return sizeOf(leavesOf(axis).map((f) => f.extent));
}

export function sameFactors(a: Axis, b: Axis): boolean {
  const [p, q] = [leavesOf(a), leavesOf(b)];
  return p.length === q.length && p.every((f, i) => f === q[i]);
}

/** The `shape` attribute of a reshape to these axes. */
export function targetOf(axes: readonly Axis[]): number[] {
  return axes.map((axis) => (leavesOf(axis).some((f) => f.batch) ? -1 : extentOf(axis)));
}

/** The same factors in order as the axes of another shape; splits them where they have to be. Null where they do not fit. */
function regrouped(factors: Axis, { shape, batchAxis }: TensorType): Axis[] | null {
  const left = leavesOf(factors);
  const axes: Factor[][] = [];
  for (const [i, extent] of shape.entries()) {
    const axis: Factor[] = [];
    let open = { extent, batch: i === batchAxis };
    while (!isWhole(open)) {
      const next = left.shift();
      if (!next) return null;
      const fits = open.extent % next.extent === 0 && (open.batch || !next.batch);
      const holds = next.extent % open.extent === 0 && (next.batch || !open.batch) && next.taken === undefined;
      if (fits) {
        axis.push(next);
        open = { extent: open.extent / next.extent, batch: open.batch && !next.batch };
      } else if (holds) {
        const inner = { extent: next.extent / open.extent, batch: next.batch && !open.batch };
        next.parts = [open, inner];
        axis.push(open);
        left.unshift(inner);
        open = { extent: 1, batch: false };
      } else return null;
    }
    axes.push(axis);
  }
  return left.length === 0 ? axes : null;
}

/** A tensor that another one is a rearrangement of, times a number. */
export interface Traced {
  readonly source: string;
  /** Its axes, in factors of the traced tensor's. */
  readonly axes: readonly Axis[];
  readonly scale: number;
}

interface Step {
  readonly input: string;
  readonly axes: readonly Axis[];
  readonly scale: number;
}

/** One movement or one product with a number undone; null where there is none. */
export function stepBack(view: View, name: string, axes: readonly Axis[], scaled: boolean): Step | null {
  const node = view.maker(name, "transpose", "reshape", "broadcast_to", "slice", ...(scaled ? ["mul"] : []));
  if (!node) return null;
  const [input] = node.inputs as [string];
  const from = view.type(input);
  const moved = (found: readonly Axis[] | null): Step | null => found && { input, axes: found, scale: 1 };
  switch (node.op) {
    case "transpose": {
      const perm = node.attrs.perm as number[];
      return moved(from.shape.map((_, i) => axes[perm.indexOf(i)]!));
    }
    case "reshape":
      return moved(regrouped(axes.flat(), from));
    case "broadcast_to": {
      const skip = axes.length - from.shape.length;
      return moved(from.shape.map((d, i) => (d === 1 && i !== from.batchAxis ? [] : axes[i + skip]!)));
    }
    case "slice":
      return moved(picked(node, from.shape, axes, view.type(name).shape));
    default: {
      const [a, b] = node.inputs as [string, string];
      const [x, factor] = view.scalar(a) === null ? [a, view.scalar(b)] : [b, view.scalar(a)];
      if (factor === null || view.type(x).shape.length !== axes.length) return null;
      return { input: x, axes, scale: factor };
    }
  }
}

/** Axes of what a slice takes one of several equal parts of, on one axis. */
function picked({ attrs }: Node, from: Shape, axes: readonly Axis[], to: Shape): Axis[] | null {
  const { begin, steps = [] } = attrs as { begin: number[]; steps?: number[] };
  const cut = from.flatMap((d, i) => (d === to[i] ? [] : [i]));
  const [at] = cut;
  if (cut.length !== 1 || at === undefined || steps.some((s) => s !== 1)) return null;
  const [extent, part] = [from[at]!, to[at]!];
  if (extent % part !== 0 || begin[at]! % part !== 0) return null;
  const taken = { extent: extent / part, batch: false, taken: begin[at]! / part };
  return axes.map((axis, i) => (i === at ? [taken, ...axis] : axis));
}

/** The tensor at the start of a chain of movements, and of products with a number if these are `scaled` over. */
export function trace(view: View, name: string, axes: readonly Axis[], scaled = false): Traced {
  let at: Traced = { source: name, axes, scale: 1 };
  for (;;) {
    const step = stepBack(view, at.source, at.axes, scaled);
    if (!step) return at;
    at = { source: step.input, axes: step.axes, scale: at.scale * step.scale };
  }
}

/** Adds a node and returns its output. */
export type Emit = (op: string, inputs: readonly string[], attrs: Record<string, unknown>) => string;

/** `source`, whose axes are `from`, with the axes `to`: as it is where these agree, else moved as little as possible. */
export function rearranged(emit: Emit, source: string, from: readonly Axis[], to: readonly Axis[]): string {
  let x = source;
  let axes: readonly Axis[] = from.map(leavesOf);
  if (axes.some((axis) => axis.some((f) => f.taken !== undefined))) {
    if (axes.some((axis) => axis.some((f, i) => f.taken !== undefined && i > 0))) {
      axes = axes.flat().map((f) => [f]);
      x = emit("reshape", [x], { shape: targetOf(axes) });
    }
    const rest = axes.map((axis) => axis.filter((f) => f.taken === undefined));
    x = emit("slice", [x], {
      begin: axes.map((axis, i) => (axis[0]?.taken ?? 0) * extentOf(rest[i]!)),
      size: rest.map((axis) => (axis.some((f) => f.batch) ? -1 : extentOf(axis))),
    });
    axes = rest;
  }
  const wanted = to.map(leavesOf);
  if (axes.length === wanted.length && axes.every((axis, i) => sameFactors(axis, wanted[i]!))) return x;
  const [own, other] = [axes.flat(), wanted.flat()];
  if (!sameFactors(own, other)) {
    x = emit("reshape", [x], { shape: targetOf(own.map((f) => [f])) });
    x = emit("transpose", [x], { perm: other.map((f) => own.indexOf(f)) });
  }
  return emit("reshape", [x], { shape: targetOf(wanted) });
}
