import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needAxis, showType } from "./shared/checks.js";
import { reducedType } from "./shared/reduce.js";
import { visitRuns } from "./shared/softmax.js";

const attrs = z.strictObject({
  axis: z.int().nonnegative(),
  keepDims: z.boolean(),
  kind: z.enum(["max", "min"]),
  /** Of equal elements the last counts, not the first. */
  last: z.boolean().default(false),
});
export type ArgReduceAttrs = z.infer<typeof attrs>;

function infer([x]: readonly TensorType[], { axis, keepDims }: ArgReduceAttrs): TensorType[] {
  needAxis("arg_reduce", x!, axis);
  if (x!.batchAxis === axis) {
    throw new IdapError("E_BATCH", `arg_reduce: ${showType(x)} cannot be searched along its batch axis`);
  }
  return [{ ...reducedType(x!, { axes: [axis], keepDims }), dtype: "i32" }];
}

/** Whether `a` takes the place of `b`, which was found before it. */
export function beats(a: number, b: number, { kind, last }: Pick<ArgReduceAttrs, "kind" | "last">): boolean {
  return (kind === "max" ? a > b : a < b) || (last && a === b);
}

/** Index of the largest or smallest element along an axis. ONNX and TFLite `ArgMax`, `ArgMin`. */
export const argReduce = defineOp<ArgReduceAttrs>({
  name: "arg_reduce",
  summary: "index of the largest or smallest element along an axis",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { axis, keepDims }) {
    c.inputTypes[0]!.shape.forEach((_, k) => {
      if (k === axis) c.freeze(c.input(0, k), "it gives their numbers");
      else c.tie(c.input(0, k), c.output(0, keepDims || k < axis ? k : k - 1));
    });
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], a, [shape]) {
    const y = new Float64Array(sizeOf(shape!));
    let q = 0;
    visitRuns(x!.shape, a.axis, (first, stride) => {
      let best = 0;
      for (let i = 1; i < x!.shape[a.axis]!; i++) {
        if (beats(x!.data[first + i * stride]!, x!.data[first + best * stride]!, a)) best = i;
      }
      y[q++] = best;
    });
    return [{ data: y, shape: shape! }];
  },
  vjp: () => [null],
  tolerance: () => ({ kind: "exact" }),
});
