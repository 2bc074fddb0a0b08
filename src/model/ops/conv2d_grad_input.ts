import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needRank, showType } from "./shared/checks.js";
import { convExtent, extent2d, geometry, needExtent } from "./shared/conv.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject({ ...geometry, groups: z.int().positive(), extent: extent2d });
export type Conv2dGradInputAttrs = z.infer<typeof attrs>;

/** [n, oh, ow, co], w [kh, kw, ci/groups, co] -> [n, ...extent, ci]. */
function infer([dy, w]: readonly TensorType[], a: Conv2dGradInputAttrs): TensorType[] {
  needRank("conv2d_grad_input", "dy", dy, 4);
  needRank("conv2d_grad_input", "w", w, 4);
  needF32("conv2d_grad_input", [dy!, w!]);
  const [kh, kw, wi, co] = w!.shape as [number, number, number, number];
  if (dy!.shape[3] !== co) {
    throw new IdapError("E_CHANNELS", `conv2d_grad_input: dy ${showType(dy)} does not have the ${co} channels of w`);
  }
  needExtent("conv2d_grad_input", dy!, convExtent(...a.extent, kh, kw, a));
  return [{ dtype: "f32", shape: [dy!.shape[0]!, ...a.extent, wi * a.groups], batchAxis: dy!.batchAxis }];
}

/** Gradient of `conv2d` with respect to x: each product of the forward sum, sent back to its input. */
export const conv2dGradInput = defineOp<Conv2dGradInputAttrs>({
  name: "conv2d_grad_input",
  summary: "gradient of conv2d with respect to its input",
  inputs: ["dy", "w"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer,
  cost([dy, w], outputs) {
    const macs = sizeOf(dy!.shape) * w!.shape[0]! * w!.shape[1]! * w!.shape[2]!;
    return { macs, bytes: moved([dy!, w!], outputs) };
  },
  reference([dy, w], a, [shape]) {
    const [kh, kw, wi, co] = w!.shape as [number, number, number, number];
    const ci = wi * a.groups;
    const perOut = co / a.groups;
    const dx = zeros(shape!);
    visitTaps(shape!, dy!.shape, [kh, kw], a, (p, q, tap) => {
      for (let o = 0; o < co; o++) {
        const first = Math.floor(o / perOut) * wi;
        const d = dy!.data[q * co + o]!;
        for (let c = 0; c < wi; c++) dx[p * ci + first + c]! += d * w!.data[(tap * wi + c) * co + o]!;
      }
    });
    return [{ data: dx, shape: shape! }];
  },
  // At most kh * kw * co / groups products reach one input: one rounding each, and one for each addition after it.
  tolerance: ([, w], a) => ({
    kind: "roundings",
    count: (w!.shape[0]! * w!.shape[1]! * w!.shape[3]!) / a.groups + 1,
  }),
});
