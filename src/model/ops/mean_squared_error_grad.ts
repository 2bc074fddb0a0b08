import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { moved, needF32, needRank, needSame, noAttrs, type NoAttrs } from "./shared/checks.js";

/** da = dloss * 2 / count * (a - b), count over all elements of all samples. */
export const meanSquaredErrorGrad = defineOp<NoAttrs>({
  name: "mean_squared_error_grad",
  summary: "gradient of mean_squared_error with respect to a",
  inputs: ["dloss", "a", "b"],
  outputs: ["da"],
  internal: true,
  attrs: noAttrs,
  infer([dloss, a, b]: readonly TensorType[]) {
    needRank("mean_squared_error_grad", "dloss", dloss, 0);
    needF32("mean_squared_error_grad", [dloss!, a!, b!]);
    needSame("mean_squared_error_grad", a, b);
    return [a!];
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dloss, a, b]) {
    const factor = (2 * dloss!.data[0]!) / a!.data.length;
    return [{ data: a!.data.map((v, i) => factor * (v - b!.data[i]!)), shape: a!.shape }];
  },
  // The factor (1 division; doubling is exact), its product with dloss, the difference, the last product.
  tolerance: () => ({ kind: "roundings", count: 4 }),
});
