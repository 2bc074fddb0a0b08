import { z } from "zod";
import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { moved, needAxis, needF32, needSame } from "./shared/checks.js";
import { visitRuns } from "./shared/softmax.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ axis: z.int().nonnegative() });
export type SoftmaxGradAttrs = z.infer<typeof attrs>;

/** dx = y * (dy - sum of dy * y along the axis). */
export const softmaxGrad = defineOp<SoftmaxGradAttrs>({
  name: "softmax_grad",
  summary: "gradient of softmax",
  inputs: ["dy", "y"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer([dy, y]: readonly TensorType[], { axis }) {
    needF32("softmax_grad", [dy!, y!]);
    needSame("softmax_grad", dy, y);
    needAxis("softmax_grad", y!, axis);
    return [y!];
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dy, y], { axis }) {
    const dx = zeros(y!.shape);
    const n = y!.shape[axis]!;
    visitRuns(y!.shape, axis, (first, stride) => {
      let sum = 0;
      for (let i = 0, p = first; i < n; i++, p += stride) sum += dy!.data[p]! * y!.data[p]!;
      for (let i = 0, p = first; i < n; i++, p += stride) dx[p] = y!.data[p]! * (dy!.data[p]! - sum);
    });
    return [{ data: dx, shape: y!.shape }];
  },
  // k products and k - 1 additions, a subtraction, a product.
  tolerance: ([, y], { axis }) => ({ kind: "roundings", count: y!.shape[axis]! + 2 }),
});
