import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, needAxis, needF32, showType } from "./shared/checks.js";
import { EXP_ROUNDINGS } from "./shared/exp.js";
import { softmaxRows } from "./shared/softmax.js";

const attrs = z.strictObject({ axis: z.int().nonnegative() });
export type SoftmaxAttrs = z.infer<typeof attrs>;

function infer([x]: readonly TensorType[], { axis }: SoftmaxAttrs): TensorType[] {
  needF32("softmax", [x!]);
  needAxis("softmax", x!, axis);
  if (x!.batchAxis === axis) throw new IdapError("E_BATCH", `softmax: the axis of ${showType(x)} is the batch`);
  return [x!];
}

/** y = exp(x - max) / sum exp(x - max) along one axis. ONNX `Softmax`, TFLite `SOFTMAX`, Keras `Softmax`. */
export const softmax = defineOp<SoftmaxAttrs>({
  name: "softmax",
  summary: "softmax along one axis",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { axis }) {
    c.inputTypes[0]!.shape.forEach((_, k) => {
      if (k === axis) c.freeze(c.input(0, k), "softmax divides by the sum over it");
      else c.tie(c.input(0, k), c.output(0, k));
    });
    c.freeze(c.output(0, axis), "softmax divides by the sum over it");
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], { axis }) => [softmaxRows(x!, axis)],
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? g.emit("softmax_grad", [dy, g.outputs[0]!], g.attrs)[0]! : null];
  },
  // Relative to the sum of the outputs, which is 1. With d = max - x: the subtraction costs d * e^-d <= 1/e < 1
  // roundings of the largest term, in numerator and denominator; exp in both; k - 1 additions; one division.
  tolerance: ([x], { axis }) => ({ kind: "roundings", count: 2 + 2 * EXP_ROUNDINGS + x!.shape[axis]! }),
});
