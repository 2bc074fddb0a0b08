import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needRank, showType } from "./shared/checks.js";
import { convExtent, extent2d, geometry, needExtent } from "./shared/conv.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject({ ...geometry, kernel: extent2d });
export type DepthwiseConv2dGradWeightAttrs = z.infer<typeof attrs>;

/** x [n, h, w, c], dy [n, oh, ow, c*m] -> [kh, kw, c, m], summed over the samples. */
function infer([x, dy]: readonly TensorType[], a: DepthwiseConv2dGradWeightAttrs): TensorType[] {
  needRank("depthwise_conv2d_grad_weight", "x", x, 4);
  needRank("depthwise_conv2d_grad_weight", "dy", dy, 4);
  needF32("depthwise_conv2d_grad_weight", [x!, dy!]);
  const [n, h, w, c] = x!.shape as [number, number, number, number];
  if (dy!.shape[0] !== n || dy!.shape[3]! % c !== 0) {
    throw new IdapError(
      "E_SHAPE",
      `depthwise_conv2d_grad_weight: ${showType(x)} and ${showType(dy)} do not belong together`,
    );
  }
  needExtent("depthwise_conv2d_grad_weight", dy!, convExtent(h, w, ...a.kernel, a));
  return [{ dtype: "f32", shape: [...a.kernel, c, dy!.shape[3]! / c], batchAxis: null }];
}

/** Gradient of `depthwise_conv2d` with respect to w. */
export const depthwiseConv2dGradWeight = defineOp<DepthwiseConv2dGradWeightAttrs>({
  name: "depthwise_conv2d_grad_weight",
  summary: "gradient of depthwise_conv2d with respect to its weights",
  inputs: ["x", "dy"],
  outputs: ["dw"],
  internal: true,
  attrs,
  infer,
  cost([x, dy], [dw]) {
    return { macs: sizeOf(dy!.shape) * dw!.shape[0]! * dw!.shape[1]!, bytes: moved([x!, dy!], [dw!]) };
  },
  reference([x, dy], a, [shape]) {
    const [kh, kw, c, m] = shape as unknown as [number, number, number, number];
    const dw = zeros(shape!);
    visitTaps(x!.shape, dy!.shape, [kh, kw], a, (p, q, tap) => {
      for (let o = 0; o < c * m; o++) {
        dw[tap * c * m + o]! += dy!.data[q * c * m + o]! * x!.data[p * c + Math.floor(o / m)]!;
      }
    });
    return [{ data: dw, shape: shape! }];
  },
  // One product for each sample and output position; give the types at the batch that runs.
  tolerance: ([, dy]) => ({ kind: "roundings", count: dy!.shape[0]! * dy!.shape[1]! * dy!.shape[2]! + 1 }),
});
