import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needRank, showType } from "./shared/checks.js";
import { convExtent, extent2d, geometry, needExtent } from "./shared/conv.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject({ ...geometry, extent: extent2d });
export type DepthwiseConv2dGradInputAttrs = z.infer<typeof attrs>;

/** dy [n, oh, ow, c*m], w [kh, kw, c, m] -> [n, ...extent, c]. */
function infer([dy, w]: readonly TensorType[], a: DepthwiseConv2dGradInputAttrs): TensorType[] {
  needRank("depthwise_conv2d_grad_input", "dy", dy, 4);
  needRank("depthwise_conv2d_grad_input", "w", w, 4);
  needF32("depthwise_conv2d_grad_input", [dy!, w!]);
  const [kh, kw, c, m] = w!.shape as [number, number, number, number];
  if (dy!.shape[3] !== c * m) {
    throw new IdapError(
      "E_CHANNELS",
      `depthwise_conv2d_grad_input: dy ${showType(dy)} does not have ${c * m} channels`,
    );
  }
  needExtent("depthwise_conv2d_grad_input", dy!, convExtent(...a.extent, kh, kw, a));
  return [{ dtype: "f32", shape: [dy!.shape[0]!, ...a.extent, c], batchAxis: dy!.batchAxis }];
}

/** Gradient of `depthwise_conv2d` with respect to x. */
export const depthwiseConv2dGradInput = defineOp<DepthwiseConv2dGradInputAttrs>({
  name: "depthwise_conv2d_grad_input",
  summary: "gradient of depthwise_conv2d with respect to its input",
  inputs: ["dy", "w"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer,
  cost([dy, w], outputs) {
    return { macs: sizeOf(dy!.shape) * w!.shape[0]! * w!.shape[1]!, bytes: moved([dy!, w!], outputs) };
  },
  reference([dy, w], a, [shape]) {
    const [kh, kw, c, m] = w!.shape as [number, number, number, number];
    const dx = zeros(shape!);
    visitTaps(shape!, dy!.shape, [kh, kw], a, (p, q, tap) => {
      for (let o = 0; o < c * m; o++) {
        dx[p * c + Math.floor(o / m)]! += dy!.data[q * c * m + o]! * w!.data[tap * c * m + o]!;
      }
    });
    return [{ data: dx, shape: shape! }];
  },
  // At most kh * kw * m products reach one input.
  tolerance: ([, w]) => ({ kind: "roundings", count: w!.shape[0]! * w!.shape[1]! * w!.shape[3]! + 1 }),
});
