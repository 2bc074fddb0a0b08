import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, needAxis, needDtype, showType } from "./shared/checks.js";
import { visitRuns } from "./shared/softmax.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({
  axis: z.int().nonnegative(),
  /** Each sum without its own element. */
  exclusive: z.boolean().default(false),
  /** From the end. */
  reverse: z.boolean().default(false),
});
export type CumsumAttrs = z.infer<typeof attrs>;

function infer([x]: readonly TensorType[], { axis }: CumsumAttrs): TensorType[] {
  needDtype("cumsum", [x!], ["f32", "i32"]);
  needAxis("cumsum", x!, axis);
  if (x!.batchAxis === axis) {
    throw new IdapError("E_BATCH", `cumsum: ${showType(x)} cannot be summed along its batch axis`);
  }
  return [x!];
}

/** Running sums along an axis. ONNX `CumSum`, TFLite `CUMSUM`. */
export const cumsum = defineOp<CumsumAttrs>({
  name: "cumsum",
  summary: "running sums along an axis",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { axis }) {
    c.inputTypes[0]!.shape.forEach((_, k) => {
      if (k === axis) c.freeze(c.input(0, k), "it sums them up one after another");
      else c.tie(c.input(0, k), c.output(0, k));
    });
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], { axis, exclusive, reverse }) {
    const y = zeros(x!.shape);
    const n = x!.shape[axis]!;
    visitRuns(x!.shape, axis, (first, stride) => {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const p = first + (reverse ? n - 1 - i : i) * stride;
        const next = sum + x!.data[p]!;
        y[p] = exclusive ? sum : next;
        sum = x!.dtype === "i32" ? next | 0 : next;
        if (!exclusive) y[p] = sum;
      }
    });
    return [{ data: y, shape: x!.shape }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? g.emit("cumsum", [dy], { ...g.attrs, reverse: !g.attrs.reverse })[0]! : null];
  },
  tolerance: ([x], { axis }) =>
    x!.dtype === "i32" ? { kind: "exact" } : { kind: "roundings", count: x!.shape[axis]! - 1 },
});
