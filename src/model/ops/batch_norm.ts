import { z } from "zod";
import { defineOp } from "../define-op.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needVector, showType } from "./shared/checks.js";
import { zeros } from "./shared/taps.js";
import { IdapError } from "../errors.js";

const attrs = z.strictObject({ epsilon: z.number().nonnegative() });
export type BatchNormAttrs = z.infer<typeof attrs>;

/** x [..., c] with four vectors of c -> the type of x. */
function infer(inputs: readonly TensorType[]): TensorType[] {
  const x = inputs[0]!;
  needF32("batch_norm", inputs);
  if (x.shape.length === 0) throw new IdapError("E_RANK", "batch_norm needs x with a channel axis, got a scalar");
  const last = x.shape.length - 1;
  if (x.batchAxis === last) {
    throw new IdapError("E_BATCH", `batch_norm: the channels of x ${showType(x)} are its batch`);
  }
  const c = x.shape[last]!;
  ["gamma", "beta", "mean", "variance"].forEach((name, i) => needVector("batch_norm", name, inputs[i + 1], c));
  return [x];
}

/**
 * Batch normalisation with fixed statistics over the last axis: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.
 * ONNX `BatchNormalization`, Keras `BatchNormalization` at inference.
 */
export const batchNorm = defineOp<BatchNormAttrs>({
  name: "batch_norm",
  summary: "batch normalisation with fixed statistics on the last axis",
  inputs: ["x", "gamma", "beta", "mean", "variance"],
  outputs: ["y"],
  params: [1, 2],
  attrs,
  infer,
  couple(c) {
    const rank = c.inputTypes[0]!.shape.length;
    for (let axis = 0; axis < rank - 1; axis++) c.tie(c.input(0, axis), c.output(0, axis));
    c.tie(c.input(0, -1), c.input(1, 0), c.input(2, 0), c.input(3, 0), c.input(4, 0), c.output(0, -1));
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x, gamma, beta, mean, variance], { epsilon }) {
    const c = gamma!.data.length;
    const y = zeros(x!.shape);
    for (let i = 0; i < y.length; i++) {
      const k = i % c;
      y[i] =
        (gamma!.data[k]! * (x!.data[i]! - mean!.data[k]!)) / Math.sqrt(variance!.data[k]! + epsilon) + beta!.data[k]!;
    }
    return [{ data: y, shape: x!.shape }];
  },
  /** Written with `batch_norm` itself: with mean and beta 0 it multiplies by gamma / sqrt(variance + epsilon). */
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy) return [null, null, null, null, null];
    const [x, gamma, , mean, variance] = g.inputs as [string, string, string, string, string];
    const shape = g.inputTypes[1]!.shape;
    const fill = (v: number): string => g.constant(shape, new Float32Array(sizeOf(shape)).fill(v));
    const norm = (t: string, scale: string, centre: string): string =>
      g.emit("batch_norm", [t, scale, fill(0), centre, variance], g.attrs)[0]!;
    const axes = g.inputTypes[0]!.shape.slice(0, -1).map((_, i) => i);
    const sum = (t: string): string =>
      axes.length === 0 ? t : g.emit("reduce_sum", [t], { axes, keepDims: false })[0]!;
    const needsDx = g.wanted[0] || g.wanted[3] || g.wanted[4];
    const needsUnit = g.wanted[1] || g.wanted[4];
    const dx = needsDx ? norm(dy, gamma, fill(0)) : null;
    const unit = needsUnit ? norm(x, fill(1), mean) : null;
    const dgamma = g.wanted[1] ? sum(g.emit("mul", [dy, unit!])[0]!) : null;
    const dbeta = g.wanted[2] ? sum(dy) : null;
    const dmean = g.wanted[3] ? g.emit("mul", [sum(dx!), fill(-1)])[0]! : null;
    let dvariance: string | null = null;
    if (g.wanted[4]) {
      const total = norm(sum(g.emit("mul", [dx!, unit!])[0]!), fill(1), fill(0));
      dvariance = g.emit("mul", [total, fill(-0.5)])[0]!;
    }
    return [g.wanted[0] ? dx : null, dgamma, dbeta, dmean, dvariance];
  },
  // As x * s + t with s = gamma / sqrt(variance + epsilon) (3 roundings), t = beta - mean * s (2 more): the term
  // mean * s passes 3 + 1 + 1 and the last addition. Relative to |x s| + |mean s| + |beta|.
  tolerance: () => ({ kind: "roundings", count: 6 }),
});
