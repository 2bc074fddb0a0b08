import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needVector } from "./shared/checks.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ epsilon: z.number().nonnegative() });
export type BatchNormTrainAttrs = z.infer<typeof attrs>;

/** x [..., c] with gamma, beta [c] -> y of the type of x, mean [c], inv_std [c]. */
function infer([x, gamma, beta]: readonly TensorType[]): TensorType[] {
  needF32("batch_norm_train", [x!, gamma!, beta!]);
  if (x!.shape.length < 2) throw new IdapError("E_RANK", "batch_norm_train needs x with samples and a channel axis");
  const c = x!.shape[x!.shape.length - 1]!;
  needVector("batch_norm_train", "gamma", gamma, c);
  needVector("batch_norm_train", "beta", beta, c);
  const vector: TensorType = { dtype: "f32", shape: [c], batchAxis: null };
  return [x!, vector, vector];
}

/**
 * Batch normalisation with the statistics of the batch: biased mean and variance over all axes but the last,
 * y = gamma * (x - mean) * inv_std + beta, inv_std = 1 / sqrt(variance + epsilon).
 */
export const batchNormTrain = defineOp<BatchNormTrainAttrs>({
  name: "batch_norm_train",
  summary: "batch normalisation with the statistics of the batch",
  inputs: ["x", "gamma", "beta"],
  outputs: ["y", "mean", "inv_std"],
  params: [1, 2],
  internal: true,
  attrs,
  infer,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x, gamma, beta], { epsilon }) {
    const c = gamma!.data.length;
    const rows = x!.data.length / c;
    const mean = new Float64Array(c);
    const invStd = new Float64Array(c);
    for (let k = 0; k < c; k++) {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += x!.data[r * c + k]!;
      mean[k] = sum / rows;
      let square = 0;
      for (let r = 0; r < rows; r++) square += (x!.data[r * c + k]! - mean[k]!) ** 2;
      invStd[k] = 1 / Math.sqrt(square / rows + epsilon);
    }
    const y = zeros(x!.shape);
    for (let i = 0; i < y.length; i++) {
      const k = i % c;
      y[i] = gamma!.data[k]! * (x!.data[i]! - mean[k]!) * invStd[k]! + beta!.data[k]!;
    }
    return [
      { data: y, shape: x!.shape },
      { data: mean, shape: [c] },
      { data: invStd, shape: [c] },
    ];
  },
  vjp(g) {
    const [dy, dmean, dinvStd] = g.gradOutputs;
    if (dmean || dinvStd) {
      throw new IdapError("E_GRADIENT", "a loss on the statistics of batch_norm_train has no gradient rule");
    }
    if (!dy) return [null, null, null];
    const [, mean, invStd] = g.outputs as [string, string, string];
    const grads = g.emit("batch_norm_grad", [dy, g.inputs[0]!, g.inputs[1]!, mean, invStd]);
    return grads.map((name, i) => (g.wanted[i] ? name : null));
  },
  // r rows: r + 1 roundings in the mean, as many again in the variance (whose relative error the square root halves),
  // and 6 for subtraction, addition of epsilon, root, division, product, addition. Types at the batch that runs.
  tolerance: ([x, gamma]) => ({ kind: "roundings", count: 2 * (sizeOf(x!.shape) / gamma!.shape[0]! + 1) + 6 }),
});
