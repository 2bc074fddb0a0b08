import { defineOp } from "../define-op.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needSame, needVector, noAttrs, type NoAttrs } from "./shared/checks.js";
import { zeros } from "./shared/taps.js";

/** dy, x [..., c] with gamma, mean, inv_std [c] -> dx, dgamma, dbeta. */
function infer(inputs: readonly TensorType[]): TensorType[] {
  const [dy, x, gamma] = inputs as [TensorType, TensorType, TensorType];
  needF32("batch_norm_grad", inputs);
  needSame("batch_norm_grad", dy, x);
  const c = x.shape[x.shape.length - 1] ?? 0;
  ["gamma", "mean", "inv_std"].forEach((name, i) => needVector("batch_norm_grad", name, inputs[i + 2], c));
  const vector: TensorType = { dtype: "f32", shape: gamma.shape, batchAxis: null };
  return [x, vector, vector];
}

/**
 * Gradient of `batch_norm_train` through the statistics of the batch. With u = (x - mean) * inv_std over r rows:
 * dbeta = sum dy, dgamma = sum dy * u, dx = gamma * inv_std * (dy - dbeta / r - u * dgamma / r)
 * (Ioffe and Szegedy, "Batch Normalization", 2015, section 3).
 */
export const batchNormGrad = defineOp<NoAttrs>({
  name: "batch_norm_grad",
  summary: "gradient of batch_norm_train",
  inputs: ["dy", "x", "gamma", "mean", "inv_std"],
  outputs: ["dx", "dgamma", "dbeta"],
  internal: true,
  attrs: noAttrs,
  infer,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dy, x, gamma, mean, invStd]) {
    const c = gamma!.data.length;
    const rows = x!.data.length / c;
    const dx = zeros(x!.shape);
    const dgamma = new Float64Array(c);
    const dbeta = new Float64Array(c);
    const unit = (i: number): number => (x!.data[i]! - mean!.data[i % c]!) * invStd!.data[i % c]!;
    for (let i = 0; i < dx.length; i++) {
      dgamma[i % c]! += dy!.data[i]! * unit(i);
      dbeta[i % c]! += dy!.data[i]!;
    }
    for (let i = 0; i < dx.length; i++) {
      const k = i % c;
      const centred = dy!.data[i]! - dbeta[k]! / rows - (unit(i) * dgamma[k]!) / rows;
      dx[i] = gamma!.data[k]! * invStd!.data[k]! * centred;
    }
    return [
      { data: dx, shape: x!.shape },
      { data: dgamma, shape: [c] },
      { data: dbeta, shape: [c] },
    ];
  },
  // dgamma: u (2), the product and r - 1 additions; then u * dgamma / r, two subtractions, two products.
  tolerance: ([, x, gamma]) => ({ kind: "roundings", count: sizeOf(x!.shape) / gamma!.shape[0]! + 10 }),
});
