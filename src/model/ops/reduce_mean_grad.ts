import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sameShape, type TensorType } from "../types.js";
import { moved, needF32, showType } from "./shared/checks.js";
import { visitIndices } from "./shared/nd.js";
import { needAxes, reduceAxes, reducedCount, reducedIndex, reducedType } from "./shared/reduce.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({
  axes: reduceAxes,
  keepDims: z.boolean(),
  /** Shape of the reduced input at batch 1. */
  shape: z.array(z.int().positive()),
  scale: z.enum(["mean", "sum"]),
});
export type ReduceMeanGradAttrs = z.infer<typeof attrs>;

/** dy (+ x, where the batch was reduced and dy does not know its size) -> dx of `shape`. */
function infer([dy, x]: readonly TensorType[], a: ReduceMeanGradAttrs): TensorType[] {
  needF32("reduce_mean_grad", [dy!]);
  let batchAxis: number | null = x ? x.batchAxis : null;
  if (!x && dy!.batchAxis !== null) {
    const kept = a.shape.map((_, axis) => axis).filter((axis) => a.keepDims || !a.axes.includes(axis));
    batchAxis = kept[dy!.batchAxis] ?? null;
  }
  const dx: TensorType = { dtype: "f32", shape: a.shape, batchAxis };
  needAxes("reduce_mean_grad", dx, a.axes);
  const expected = reducedType(dx, a);
  if (!sameShape(expected.shape, dy!.shape) || expected.batchAxis !== dy!.batchAxis) {
    throw new IdapError("E_SHAPE", `reduce_mean_grad: dy must be ${showType(expected)}, got ${showType(dy)}`);
  }
  if (x && !sameShape(x.shape, a.shape)) {
    throw new IdapError("E_SHAPE", `reduce_mean_grad: x must be [${a.shape}], got ${showType(x)}`);
  }
  return [dx];
}

/** Gradient of `reduce_mean` (scale "mean": dy / count) and `reduce_sum` (scale "sum": dy), repeated over the axes. */
export const reduceMeanGrad = defineOp<ReduceMeanGradAttrs>({
  name: "reduce_mean_grad",
  summary: "gradient of reduce_mean and reduce_sum",
  inputs: ["dy", "x?"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs.slice(0, 1), outputs) }),
  reference([dy], { axes, scale }, [shape]) {
    const dx = zeros(shape!);
    const source = reducedIndex(shape!, axes);
    const factor = scale === "mean" ? 1 / reducedCount(shape!, axes) : 1;
    visitIndices(shape!, (index, flat) => (dx[flat] = dy!.data[source(index)]! * factor));
    return [{ data: dx, shape: shape! }];
  },
  // The factor 1 / count is rounded and multiplied with.
  tolerance: (_, { scale }) => (scale === "sum" ? { kind: "exact" } : { kind: "roundings", count: 2 }),
});
