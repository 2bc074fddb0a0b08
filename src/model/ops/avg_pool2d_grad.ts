import { z } from "zod";
import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { moved, needRank, needSame } from "./shared/checks.js";
import { extent2d } from "./shared/conv.js";
import { averageGeometry, divisors, poolType, windowsOver } from "./shared/pool.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject({ ...averageGeometry, extent: extent2d });
export type AvgPool2dGradAttrs = z.infer<typeof attrs>;

/** Gradient of `avg_pool2d`: dy / count to every element of its window; `extent` is [h, w] of the input. */
export const avgPool2dGrad = defineOp<AvgPool2dGradAttrs>({
  name: "avg_pool2d_grad",
  summary: "gradient of avg_pool2d",
  inputs: ["dy"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer([dy]: readonly TensorType[], a) {
    needRank("avg_pool2d_grad", "dy", dy, 4);
    const dx: TensorType = { ...dy!, shape: [dy!.shape[0]!, ...a.extent, dy!.shape[3]!] };
    needSame("avg_pool2d_grad", dy, poolType("avg_pool2d_grad", dx, a));
    return [dx];
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dy], a, [shape]) {
    const c = shape![3]!;
    const dx = zeros(shape!);
    const count = divisors(shape!, dy!.shape, a);
    visitTaps(shape!, dy!.shape, a.kernel, a, (p, q) => {
      for (let k = 0; k < c; k++) dx[p * c + k]! += dy!.data[q * c + k]! / count[q]!;
    });
    return [{ data: dx, shape: shape! }];
  },
  // 1 / count and its product, then one addition for each further window over the element.
  tolerance: (_, a) => ({ kind: "roundings", count: windowsOver(a) + 1 }),
});
