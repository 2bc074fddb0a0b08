import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, needAxis, showType } from "./shared/checks.js";
import { visitRuns } from "./shared/softmax.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({
  axis: z.int().nonnegative(),
  k: z.int().positive(),
  largest: z.boolean().default(true),
});
export type TopKAttrs = z.infer<typeof attrs>;

function infer([x]: readonly TensorType[], { axis, k }: TopKAttrs): TensorType[] {
  needAxis("top_k", x!, axis);
  if (x!.batchAxis === axis) {
    throw new IdapError("E_BATCH", `top_k: ${showType(x)} cannot be sorted along its batch axis`);
  }
  if (k > x!.shape[axis]!) throw new IdapError("E_RANGE", `top_k: axis ${axis} of ${showType(x)} has no ${k} elements`);
  const shape = x!.shape.map((d, i) => (i === axis ? k : d));
  return [
    { ...x!, shape },
    { ...x!, shape, dtype: "i32" },
  ];
}

/** The k largest (or smallest) along an axis, in order, with their indices. ONNX `TopK`, TFLite `TOPK_V2`. */
export const topK = defineOp<TopKAttrs>({
  name: "top_k",
  summary: "the largest or smallest elements along an axis, sorted, and their indices",
  inputs: ["x"],
  outputs: ["values", "indices"],
  attrs,
  infer,
  couple(c, { axis }) {
    c.inputTypes[0]!.shape.forEach((_, k) => {
      if (k === axis) c.freeze(c.input(0, k), "it sorts them and gives their numbers");
      else c.tie(c.input(0, k), c.output(0, k), c.output(1, k));
    });
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], { axis, k, largest }, [shape]) {
    const values = zeros(shape!);
    const indices = zeros(shape!);
    const n = x!.shape[axis]!;
    visitRuns(x!.shape, axis, (first, stride) => {
      const at = (i: number): number => x!.data[first + i * stride]!;
      const order = Array.from({ length: n }, (_, i) => i);
      // A stable sort: of equal elements the lower index comes first.
      order.sort((i, j) => (largest ? at(j) - at(i) : at(i) - at(j)));
      const outer = Math.floor(first / (n * stride));
      for (let j = 0; j < k; j++) {
        const q = (outer * k + j) * stride + (first % stride);
        values[q] = at(order[j]!);
        indices[q] = order[j]!;
      }
    });
    return [
      { data: values, shape: shape! },
      { data: indices, shape: shape! },
    ];
  },
  /** dx[i] = sum over j of dvalues[j] where indices[j] = i. */
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy || !g.wanted[0]) return [null];
    const { axis } = g.attrs;
    const { shape, batchAxis } = g.inputTypes[0]!;
    const n = shape[axis]!;
    const places = [...g.outputTypes[0]!.shape.map((d, k) => (k === batchAxis ? -1 : d))];
    places.splice(axis + 1, 0, 1);
    const apart = (t: string): string => g.emit("reshape", [t], { shape: places })[0]!;
    const numbers = g.constant(
      [n, ...shape.slice(axis + 1).map(() => 1)],
      Float32Array.from({ length: n }, (_, i) => i),
    );
    const range = g.emit("cast", [numbers], { to: "i32" })[0]!;
    const hits = g.emit("cast", [g.emit("equal", [apart(g.outputs[1]!), range])[0]!], { to: "f32" })[0]!;
    const terms = g.emit("mul", [apart(dy), hits])[0]!;
    return [g.emit("reduce_sum", [terms], { axes: [axis], keepDims: false })[0]!];
  },
  tolerance: () => ({ kind: "exact" }),
});
