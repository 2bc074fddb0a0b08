import { z } from "zod";
import { defineOp } from "../define-op.js";
import { moved } from "./shared/checks.js";
import { averageGeometry, couplePool, divisors, poolType } from "./shared/pool.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject(averageGeometry);
export type AvgPool2dAttrs = z.infer<typeof attrs>;

/**
 * Mean of each window: over the elements inside x, or (countIncludePad) over those inside x and its padding, as zeros.
 * `padsCounted` says how much of `pads` counts: in ONNX's and PyTorch's ceil mode the part that only the last window
 * reaches into does not.
 * ONNX `AveragePool`, TFLite `AVERAGE_POOL_2D`, Keras `AveragePooling2D`.
 */
export const avgPool2d = defineOp<AvgPool2dAttrs>({
  name: "avg_pool2d",
  summary: "mean of each window",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer: ([x], a) => [poolType("avg_pool2d", x, a)],
  couple: couplePool,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], a, [shape]) {
    const c = x!.shape[3]!;
    const y = zeros(shape!);
    visitTaps(x!.shape, shape!, a.kernel, a, (p, q) => {
      for (let k = 0; k < c; k++) y[q * c + k]! += x!.data[p * c + k]!;
    });
    const count = divisors(x!.shape, shape!, a);
    for (let i = 0; i < y.length; i++) y[i]! /= count[Math.floor(i / c)]!;
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy || !g.wanted[0]) return [null];
    const [, h, w] = g.inputTypes[0]!.shape as [number, number, number];
    return [g.emit("avg_pool2d_grad", [dy], { ...g.attrs, extent: [h, w] })[0]!];
  },
  // kh * kw - 1 additions; the factor 1 / count is rounded and multiplied with.
  tolerance: (_, { kernel }) => ({ kind: "roundings", count: kernel[0] * kernel[1] + 1 }),
});
