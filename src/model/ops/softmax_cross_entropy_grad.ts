import { z } from "zod";
import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { moved, needF32, needRank, needSame } from "./shared/checks.js";
import { EXP_ROUNDINGS } from "./shared/exp.js";
import { softmaxRows } from "./shared/softmax.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ temperature: z.number().positive() });
export type SoftmaxCrossEntropyGradAttrs = z.infer<typeof attrs>;

/** dlogits = dloss * T / n * (softmax(logits / T) * sum target - target). */
export const softmaxCrossEntropyGrad = defineOp<SoftmaxCrossEntropyGradAttrs>({
  name: "softmax_cross_entropy_grad",
  summary: "gradient of softmax_cross_entropy with respect to the logits",
  inputs: ["dloss", "logits", "target"],
  outputs: ["dlogits"],
  internal: true,
  attrs,
  infer([dloss, logits, target]: readonly TensorType[]) {
    needRank("softmax_cross_entropy_grad", "dloss", dloss, 0);
    needRank("softmax_cross_entropy_grad", "logits", logits, 2);
    needF32("softmax_cross_entropy_grad", [dloss!, logits!, target!]);
    needSame("softmax_cross_entropy_grad", logits, target);
    return [logits!];
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dloss, logits, target], { temperature: t }) {
    const [n, c] = logits!.shape as [number, number];
    const p = softmaxRows(logits!, 1, t);
    const dx = zeros(logits!.shape);
    for (let s = 0; s < n; s++) {
      let total = 0;
      for (let k = 0; k < c; k++) total += target!.data[s * c + k]!;
      for (let k = 0; k < c; k++) {
        const i = s * c + k;
        dx[i] = ((dloss!.data[0]! * t) / n) * (p.data[i]! * total - target!.data[i]!);
      }
    }
    return [{ data: dx, shape: logits!.shape }];
  },
  // softmax (2 + 2 exp + c), the sum of the target (c), two products, a subtraction, the factor.
  tolerance: ([, logits]) => ({ kind: "roundings", count: 2 * EXP_ROUNDINGS + 2 * logits!.shape[1]! + 8 }),
});
