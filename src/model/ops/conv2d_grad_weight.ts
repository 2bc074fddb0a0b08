import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needRank, showType } from "./shared/checks.js";
import { convExtent, extent2d, geometry, needExtent } from "./shared/conv.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject({ ...geometry, groups: z.int().positive(), kernel: extent2d });
export type Conv2dGradWeightAttrs = z.infer<typeof attrs>;

/** x [n, h, w, ci], dy [n, oh, ow, co] -> [kh, kw, ci/groups, co], summed over the samples. */
function infer([x, dy]: readonly TensorType[], a: Conv2dGradWeightAttrs): TensorType[] {
  needRank("conv2d_grad_weight", "x", x, 4);
  needRank("conv2d_grad_weight", "dy", dy, 4);
  needF32("conv2d_grad_weight", [x!, dy!]);
  const [n, h, w, ci] = x!.shape as [number, number, number, number];
  const co = dy!.shape[3]!;
  if (dy!.shape[0] !== n || ci % a.groups !== 0 || co % a.groups !== 0) {
    throw new IdapError(
      "E_SHAPE",
      `conv2d_grad_weight: ${showType(x)} and ${showType(dy)} do not belong together (${a.groups} groups)`,
    );
  }
  needExtent("conv2d_grad_weight", dy!, convExtent(h, w, ...a.kernel, a));
  return [{ dtype: "f32", shape: [...a.kernel, ci / a.groups, co], batchAxis: null }];
}

/** Gradient of `conv2d` with respect to w: for each tap the sum of x * dy over samples and positions. */
export const conv2dGradWeight = defineOp<Conv2dGradWeightAttrs>({
  name: "conv2d_grad_weight",
  summary: "gradient of conv2d with respect to its weights",
  inputs: ["x", "dy"],
  outputs: ["dw"],
  internal: true,
  attrs,
  infer,
  cost([x, dy], [dw]) {
    return {
      macs: sizeOf(dy!.shape) * dw!.shape[0]! * dw!.shape[1]! * dw!.shape[2]!,
      bytes: moved([x!, dy!], [dw!]),
    };
  },
  reference([x, dy], a, [shape]) {
    const [kh, kw, wi, co] = shape as unknown as [number, number, number, number];
    const ci = wi * a.groups;
    const perOut = co / a.groups;
    const dw = zeros(shape!);
    visitTaps(x!.shape, dy!.shape, [kh, kw], a, (p, q, tap) => {
      for (let o = 0; o < co; o++) {
        const first = Math.floor(o / perOut) * wi;
        const d = dy!.data[q * co + o]!;
        for (let c = 0; c < wi; c++) dw[(tap * wi + c) * co + o]! += d * x!.data[p * ci + first + c]!;
      }
    });
    return [{ data: dw, shape: shape! }];
  },
  // One product for each sample and output position; give the types at the batch that runs.
  tolerance: ([, dy]) => ({ kind: "roundings", count: dy!.shape[0]! * dy!.shape[1]! * dy!.shape[2]! + 1 }),
});
