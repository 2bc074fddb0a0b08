import { z } from "zod";
import type { Coupling } from "../../coupling.js";
import type { NdArray, OpDef, Tolerance } from "../../define-op.js";
import { defineOp, type VjpContext } from "../../define-op.js";
import { IdapError } from "../../errors.js";
import { sizeOf, stridesOf, type Shape, type TensorType } from "../../types.js";
import { moved, needAxis, needDtype } from "./checks.js";
import { visitIndices } from "./nd.js";

/** Axes of a reduction: non-negative, ascending. */
export const reduceAxes = z.array(z.int().nonnegative()).min(1);
const attrs = z.strictObject({ axes: reduceAxes, keepDims: z.boolean() });
export type ReduceAttrs = z.infer<typeof attrs>;

export function needAxes(op: string, t: TensorType, axes: readonly number[]): void {
  axes.forEach((axis, i) => {
    needAxis(op, t, axis);
    if (i > 0 && axes[i - 1]! >= axis) {
      throw new IdapError("E_AXIS", `${op}: the axes must ascend without repeats, got [${axes}]`);
    }
  });
}

/** The type after `axes` are reduced. A batch that is reduced is gone: the result has no batch axis. */
export function reducedType(t: TensorType, { axes, keepDims }: ReduceAttrs): TensorType {
  const shape: number[] = [];
  let batchAxis: number | null = null;
  t.shape.forEach((d, axis) => {
    const gone = axes.includes(axis);
    if (axis === t.batchAxis && !gone) batchAxis = shape.length;
    if (!gone) shape.push(d);
    else if (keepDims) shape.push(1);
  });
  return { dtype: t.dtype, shape, batchAxis };
}

/** Flat index of the reduced element that each element of `shape` belongs to. */
export function reducedIndex(shape: Shape, axes: readonly number[]): (index: readonly number[]) => number {
  const kept = shape.map((d, axis) => (axes.includes(axis) ? 1 : d));
  const strides = stridesOf(kept).map((s, axis) => (axes.includes(axis) ? 0 : s));
  return (index) => index.reduce((p, i, axis) => p + i * strides[axis]!, 0);
}

/** How many elements each result of a reduction comes from. */
export function reducedCount(shape: Shape, axes: readonly number[]): number {
  return axes.reduce((n, axis) => n * shape[axis]!, 1);
}

/** Kept axes are tied; the reduced ones stay unmentioned, so frozen. */
function couple(c: Coupling, { axes, keepDims }: ReduceAttrs): void {
  let out = 0;
  c.inputTypes[0]!.shape.forEach((_, axis) => {
    const gone = axes.includes(axis);
    if (!gone) c.tie(c.input(0, axis), c.output(0, out));
    if (!gone || keepDims) out++;
  });
}

/** A reduction that starts from `start`, joins with `join` and ends with `end(total, count)`. */
export function reduceOp(o: {
  name: string;
  summary: string;
  start: number;
  join: (total: number, x: number) => number;
  end: (total: number, count: number) => number;
  /** `join` on i32, where it takes them too. */
  joinIntegers?: (total: number, x: number) => number;
  vjp?: (g: VjpContext<ReduceAttrs>, dy: string) => string;
  tolerance: (count: number) => Tolerance;
}): OpDef<ReduceAttrs> {
  const { joinIntegers, vjp } = o;
  return defineOp<ReduceAttrs>({
    name: o.name,
    summary: o.summary,
    inputs: ["x"],
    outputs: ["y"],
    attrs,
    infer([x]: readonly TensorType[], a) {
      needDtype(o.name, [x!], joinIntegers ? ["f32", "i32"] : ["f32"]);
      needAxes(o.name, x!, a.axes);
      return [reducedType(x!, a)];
    },
    couple,
    cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
    reference([x]: readonly NdArray[], { axes }, [shape]) {
      const y = new Float64Array(sizeOf(shape!)).fill(o.start);
      const target = reducedIndex(x!.shape, axes);
      const join = x!.dtype === "i32" && joinIntegers ? joinIntegers : o.join;
      visitIndices(x!.shape, (index, flat) => {
        const q = target(index);
        y[q] = join(y[q]!, x!.data[flat]!);
      });
      const count = reducedCount(x!.shape, axes);
      for (let i = 0; i < y.length; i++) y[i] = o.end(y[i]!, count);
      return [{ data: y, shape: shape! }];
    },
    ...(vjp && {
      vjp(g: VjpContext<ReduceAttrs>) {
        const dy = g.gradOutputs[0];
        return [dy && g.wanted[0] ? vjp(g, dy) : null];
      },
    }),
    tolerance: ([x], { axes }) => (x!.dtype === "f32" ? o.tolerance(reducedCount(x!.shape, axes)) : { kind: "exact" }),
  });
}

/** Sends a gradient of a sum or mean back: the input is needed only where the batch itself was reduced. */
export function spread(g: VjpContext<ReduceAttrs>, dy: string, scale: "mean" | "sum"): string {
  const x = g.inputTypes[0]!;
  const like = x.batchAxis !== null && g.attrs.axes.includes(x.batchAxis) ? [g.inputs[0]!] : [];
  return g.emit("reduce_mean_grad", [dy, ...like], { ...g.attrs, shape: [...x.shape], scale })[0]!;
}
