import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needAxis, needF32, showType } from "./shared/checks.js";
import { needScale, normaliseRun, normGradients, normRoundings } from "./shared/norm.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ axis: z.int().nonnegative(), epsilon: z.number().nonnegative() });
export type LayerNormAttrs = z.infer<typeof attrs>;

/** x [..., normalised axes], gamma and beta of the normalised axes -> the type of x. */
function infer([x, ...scale]: readonly TensorType[], { axis }: LayerNormAttrs): TensorType[] {
  needF32("layer_norm", [x!, ...scale]);
  needAxis("layer_norm", x!, axis);
  if (x!.batchAxis !== null && x!.batchAxis >= axis) {
    throw new IdapError("E_BATCH", `layer_norm: the axes from ${axis} on of ${showType(x)} hold the batch`);
  }
  needScale("layer_norm", scale, x!.shape.slice(axis));
  return [x!];
}

/**
 * Normalisation of each sample's own values over the axes from `axis` on:
 * y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the variance of the whole population (divided by n).
 * Without gamma it is 1, without beta 0. ONNX `LayerNormalization`, Keras `LayerNormalization`.
 */
export const layerNorm = defineOp<LayerNormAttrs>({
  name: "layer_norm",
  summary: "normalisation of each sample over its last axes",
  inputs: ["x", "gamma?", "beta?"],
  outputs: ["y"],
  params: [1, 2],
  attrs,
  infer,
  couple(c, { axis }) {
    const reason = "layer_norm takes mean and variance over it";
    c.inputTypes[0]!.shape.forEach((_, k) => {
      if (k < axis) c.tie(c.input(0, k), c.output(0, k));
      else for (const a of [c.input(0, k), c.output(0, k)]) c.freeze(a, reason);
    });
    c.inputTypes.slice(1).forEach((t, i) => t.shape.forEach((_, k) => c.freeze(c.input(i + 1, k), reason)));
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x, gamma, beta], { axis, epsilon }) {
    const n = sizeOf(x!.shape.slice(axis));
    const y = zeros(x!.shape);
    for (let first = 0; first < y.length; first += n) {
      const places = Array.from({ length: n }, (_, i) => first + i);
      normaliseRun(
        x!.data,
        y,
        places,
        epsilon,
        (i) => gamma?.data[i] ?? 1,
        (i) => beta?.data[i] ?? 0,
      );
    }
    return [{ data: y, shape: x!.shape }];
  },
  vjp(g) {
    const rank = g.inputTypes[0]!.shape.length;
    const all = Array.from({ length: rank }, (_, k) => k);
    const { axis, epsilon } = g.attrs;
    return normGradients(g, g.inputTypes[0]!, all.slice(axis), all.slice(0, axis), epsilon);
  },
  tolerance: ([x], { axis }) => ({ kind: "roundings", count: normRoundings(sizeOf(x!.shape.slice(axis))) }),
});
