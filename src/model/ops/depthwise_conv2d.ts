import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needBatchFirst, needF32, needFixed, needRank, needVector } from "./shared/checks.js";
import { convExtent, convGradients, geometry } from "./shared/conv.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject(geometry);
export type DepthwiseConv2dAttrs = z.infer<typeof attrs>;

/** [n, h, w, c] * [kh, kw, c, m] (+ [c*m]) -> [n, oh, ow, c*m]. */
function infer([x, w, b]: readonly TensorType[], a: DepthwiseConv2dAttrs): TensorType[] {
  needRank("depthwise_conv2d", "x", x, 4);
  needRank("depthwise_conv2d", "w", w, 4);
  needF32("depthwise_conv2d", b ? [x!, w!, b] : [x!, w!]);
  needFixed("depthwise_conv2d", "w", w);
  needBatchFirst("depthwise_conv2d", "x", x!);
  const [n, h, wd, c] = x!.shape as [number, number, number, number];
  const [kh, kw, wc, m] = w!.shape as [number, number, number, number];
  if (c !== wc) {
    throw new IdapError(
      "E_CHANNELS",
      `depthwise_conv2d: x has ${c} channels but w [${w!.shape}] expects ${wc}`,
      "Was only one side of a coupling group cut? `idap inspect --groups` lists the coupled axes.",
    );
  }
  if (b) needVector("depthwise_conv2d", "the bias", b, c * m);
  return [{ dtype: "f32", shape: [n, ...convExtent(h, wd, kh, kw, a), c * m], batchAxis: x!.batchAxis }];
}

/**
 * Depthwise 2-D convolution with multiplier m: output channel c*m + j is input channel c under kernel w[:, :, c, j].
 * TFLite `DEPTHWISE_CONV_2D`, Keras `DepthwiseConv2D`, ONNX `Conv` with as many groups as input channels.
 */
export const depthwiseConv2d = defineOp<DepthwiseConv2dAttrs>({
  name: "depthwise_conv2d",
  summary: "depthwise 2-D convolution with a channel multiplier, optional bias",
  inputs: ["x", "w", "b?"],
  outputs: ["y"],
  params: [1, 2],
  attrs,
  infer,
  couple(c) {
    const m = c.inputTypes[1]!.shape[3]!;
    const bias = c.inputTypes.length > 2 ? [c.input(2, 0)] : [];
    c.freeze(c.input(1, 3), "the channel multiplier of a depthwise convolution is one number for all channels");
    if (m === 1) {
      c.tie(c.input(0, 3), c.input(1, 2), c.output(0, 3), ...bias);
      return;
    }
    c.tie(c.input(0, 3), c.input(1, 2));
    if (bias.length > 0) c.tie(c.output(0, 3), ...bias);
    // All m outputs of an input channel live or die with it.
    c.tieMap(c.output(0, 3), c.input(0, 3), (o) => Math.floor(o / m));
  },
  cost(inputs, [y]) {
    const w = inputs[1]!;
    return { macs: sizeOf(y!.shape) * w.shape[0]! * w.shape[1]!, bytes: moved(inputs, [y!]) };
  },
  reference([x, w, b], a, [shape]) {
    const [kh, kw, c, m] = w!.shape as [number, number, number, number];
    const y = zeros(shape!);
    if (b) for (let i = 0; i < y.length; i++) y[i] = b.data[i % (c * m)]!;
    visitTaps(x!.shape, shape!, [kh, kw], a, (p, q, tap) => {
      for (let o = 0; o < c * m; o++) {
        y[q * c * m + o]! += x!.data[p * c + Math.floor(o / m)]! * w!.data[tap * c * m + o]!;
      }
    });
    return [{ data: y, shape: shape! }];
  },
  vjp: (g) => convGradients("depthwise_conv2d", g),
  // A product, at most kh * kw additions after it (the bias is the first of the terms).
  tolerance: ([, w]) => ({ kind: "roundings", count: w!.shape[0]! * w!.shape[1]! + 1 }),
});
