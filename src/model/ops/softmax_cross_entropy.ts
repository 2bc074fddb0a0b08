import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, needF32, needRank, needSame } from "./shared/checks.js";
import { EXP_ROUNDINGS } from "./shared/exp.js";

const attrs = z.strictObject({ temperature: z.number().positive() });
export type SoftmaxCrossEntropyAttrs = z.infer<typeof attrs>;

/** logits and target [n, c] with the batch on axis 0 -> a scalar. */
function infer([logits, target]: readonly TensorType[]): TensorType[] {
  needRank("softmax_cross_entropy", "logits", logits, 2);
  needF32("softmax_cross_entropy", [logits!, target!]);
  needSame("softmax_cross_entropy", logits, target);
  if (logits!.batchAxis === 1) throw new IdapError("E_BATCH", "softmax_cross_entropy needs the batch on axis 0");
  return [{ dtype: "f32", shape: [], batchAxis: null }];
}

/**
 * loss = T^2 * mean over samples of -sum target * log softmax(logits / T): cross entropy at T = 1; with the teacher's
 * softened probabilities as target, distillation up to a constant (Hinton et al., 2015; T^2 keeps the size of the
 * gradient). `target` holds probabilities and counts as a constant.
 */
export const softmaxCrossEntropy = defineOp<SoftmaxCrossEntropyAttrs>({
  name: "softmax_cross_entropy",
  summary: "softened cross entropy of logits against probabilities, mean over the batch",
  inputs: ["logits", "target"],
  outputs: ["loss"],
  internal: true,
  attrs,
  infer,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([logits, target], { temperature: t }) {
    const [n, c] = logits!.shape as [number, number];
    let loss = 0;
    for (let s = 0; s < n; s++) {
      let max = -Infinity;
      for (let k = 0; k < c; k++) max = Math.max(max, logits!.data[s * c + k]!);
      let sum = 0;
      for (let k = 0; k < c; k++) sum += Math.exp((logits!.data[s * c + k]! - max) / t);
      const logSum = Math.log(sum);
      for (let k = 0; k < c; k++) {
        loss -= target!.data[s * c + k]! * ((logits!.data[s * c + k]! - max) / t - logSum);
      }
    }
    return [{ data: new Float64Array([(t * t * loss) / n]), shape: [] }];
  },
  vjp(g) {
    const dloss = g.gradOutputs[0];
    if (!dloss || !g.wanted[0]) return [null, null];
    return [g.emit("softmax_cross_entropy_grad", [dloss, ...g.inputs], g.attrs)[0]!, null];
  },
  // exp and log, c additions inside, (x - max) / t, the product, n * c additions, the final factor. Types at the batch.
  tolerance: ([logits]) => {
    const [n, c] = logits!.shape as [number, number];
    return { kind: "roundings", count: 2 * EXP_ROUNDINGS + c + n * c + 6 };
  },
});
