import { z } from "zod";
import { defineOp, type VjpContext } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needBatchFirst, needF32, needFixed, needRank, needVector, showType } from "./shared/checks.js";
import { geometry, type ConvGeometry } from "./shared/conv.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject({
  ...geometry,
  /** Rows and columns added at the end, which no tap of the last input needs to reach. */
  outputPads: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
  groups: z.int().positive(),
});
export type ConvTranspose2dAttrs = z.infer<typeof attrs>;

/** Extent from the first output that a tap may reach to the last, before anything is cut off or added. */
function fullExtent(size: number, kernel: number, stride: number, dilation: number): number {
  return (size - 1) * stride + dilation * (kernel - 1) + 1;
}

/** x [n, h, w, ci], w [kh, kw, ci, co/groups] (+ [co]) -> [n, oh, ow, co]. */
function infer([x, w, b]: readonly TensorType[], a: ConvTranspose2dAttrs): TensorType[] {
  needRank("conv_transpose2d", "x", x, 4);
  needRank("conv_transpose2d", "w", w, 4);
  needF32("conv_transpose2d", b ? [x!, w!, b] : [x!, w!]);
  needFixed("conv_transpose2d", "w", w);
  needBatchFirst("conv_transpose2d", "x", x!);
  const [n, h, wd, ci] = x!.shape as [number, number, number, number];
  const [kh, kw, wi, perOut] = w!.shape as [number, number, number, number];
  if (ci !== wi || ci % a.groups !== 0) {
    throw new IdapError(
      "E_CHANNELS",
      `conv_transpose2d: x has ${ci} channels but w [${w!.shape}] expects ${wi}, in ${a.groups} group(s)`,
      "Was only one side of a coupling group cut? `idap inspect --groups` lists the coupled axes.",
    );
  }
  const co = perOut * a.groups;
  if (b) needVector("conv_transpose2d", "the bias", b, co);
  const [top, left, bottom, right] = a.pads;
  const oh = fullExtent(h, kh, a.strides[0], a.dilations[0]) - top - bottom + a.outputPads[0];
  const ow = fullExtent(wd, kw, a.strides[1], a.dilations[1]) - left - right + a.outputPads[1];
  if (oh < 1 || ow < 1) {
    throw new IdapError(
      "E_WINDOW",
      `conv_transpose2d: padding [${a.pads}] cuts off all of the output of x ${showType(x)} and w [${w!.shape}]`,
    );
  }
  return [{ dtype: "f32", shape: [n, oh, ow, co], batchAxis: x!.batchAxis }];
}

/**
 * dy without the rows and columns that no tap reaches, and the padding under which the convolution that this operator is
 * the transpose of leads from there to the extent of x.
 */
function reached(g: VjpContext<ConvTranspose2dAttrs>, dy: string): { dy: string; window: ConvGeometry } {
  const { strides, dilations, pads, outputPads } = g.attrs;
  const [x, w, y] = [g.inputTypes[0]!.shape, g.inputTypes[1]!.shape, g.outputTypes[0]!.shape];
  const beyond = [0, 1].map((k) => Math.max(0, outputPads[k]! - pads[k + 2]!));
  const window: ConvGeometry = {
    strides,
    dilations,
    pads: [pads[0], pads[1], Math.max(0, pads[2] - outputPads[0]), Math.max(0, pads[3] - outputPads[1])],
  };
  if (beyond.every((d) => d === 0)) return { dy, window };
  const batch = g.outputTypes[0]!.batchAxis === 0 ? -1 : y[0]!;
  const size = [0, 1].map(
    (k) => fullExtent(x[k + 1]!, w[k]!, strides[k]!, dilations[k]!) - pads[k]! - window.pads[k + 2]!,
  );
  return { dy: g.emit("slice", [dy], { begin: [0, 0, 0, 0], size: [batch, ...size, y[3]!] })[0]!, window };
}

/**
 * Transposed 2-D convolution: what `conv2d` with the same geometry and w's last two axes swapped does to gradients.
 * y[n, i*sh + ky*dh - top, j*sw + kx*dw - left, o] sums x[n,i,j,c] * w[ky,kx,c,o], plus b[o]; `pads` cut the full
 * output at its edges, `outputPads` add to its end. Block c/(ci/g) of x reaches block of the same number of y.
 * ONNX `ConvTranspose`, TFLite `TRANSPOSE_CONV`, Keras `Conv2DTranspose`.
 */
export const convTranspose2d = defineOp<ConvTranspose2dAttrs>({
  name: "conv_transpose2d",
  summary: "transposed 2-D convolution, grouped and dilated, optional bias",
  inputs: ["x", "w", "b?"],
  outputs: ["y"],
  params: [1, 2],
  attrs,
  infer,
  couple(c, { groups }) {
    const bias = c.inputTypes.length > 2 ? [c.input(2, 0)] : [];
    c.tie(c.input(0, 3), c.input(1, 2));
    if (groups === 1) {
      c.tie(c.input(1, 3), c.output(0, 3), ...bias);
      return;
    }
    // Group g of x, of w's inputs and of y lives or dies as one; every group has the same outputs in w.
    c.block(c.input(0, 3), groups);
    c.block(c.output(0, 3), groups);
    if (bias.length > 0) c.tie(c.output(0, 3), ...bias);
    const perIn = c.inputTypes[0]!.shape[3]! / groups;
    const perOut = c.outputTypes[0]!.shape[3]! / groups;
    c.tieMap(c.output(0, 3), c.input(0, 3), (o) => Math.floor(o / perOut) * perIn);
    c.freeze(c.input(1, 3), "the outputs of a grouped transposed convolution belong to their whole group");
  },
  cut(c, a) {
    if (a.groups === 1) return a;
    const perIn = c.inputTypes[0]!.shape[3]! / a.groups;
    return { ...a, groups: c.keptInput(0, 3).length / perIn };
  },
  cost(inputs, outputs) {
    const [x, w] = inputs as [TensorType, TensorType];
    return { macs: sizeOf(x.shape) * w.shape[0]! * w.shape[1]! * w.shape[3]!, bytes: moved(inputs, outputs) };
  },
  reference([x, w, b], a, [shape]) {
    const [kh, kw, ci, perOut] = w!.shape as [number, number, number, number];
    const co = perOut * a.groups;
    const perIn = ci / a.groups;
    const y = zeros(shape!);
    if (b) for (let i = 0; i < y.length; i++) y[i] = b.data[i % co]!;
    visitTaps(shape!, x!.shape, [kh, kw], a, (q, p, tap) => {
      for (let c = 0; c < ci; c++) {
        const first = Math.floor(c / perIn) * perOut;
        const v = x!.data[p * ci + c]!;
        for (let o = 0; o < perOut; o++) y[q * co + first + o]! += v * w!.data[(tap * ci + c) * perOut + o]!;
      }
    });
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const full = g.gradOutputs[0];
    if (!full) return [null, null, null];
    const [x, w] = g.inputs as [string, string];
    const { dy, window } = reached(g, full);
    const { groups } = g.attrs;
    const swapped = (t: string): string => g.emit("transpose", [t], { perm: [0, 1, 3, 2] })[0]!;
    const kernel = g.inputTypes[1]!.shape.slice(0, 2);
    return [
      g.wanted[0] ? g.emit("conv2d", [dy, swapped(w)], { ...window, groups })[0]! : null,
      g.wanted[1] ? swapped(g.emit("conv2d_grad_weight", [dy, x], { ...window, groups, kernel })[0]!) : null,
      g.wanted[2] ? g.emit("reduce_sum", [full], { axes: [0, 1, 2], keepDims: false })[0]! : null,
    ];
  },
  // At most kh * kw * ci / groups products reach one output: one rounding each, one for each addition, and the bias.
  tolerance: ([, w], a) => ({
    kind: "roundings",
    count: (2 * w!.shape[0]! * w!.shape[1]! * w!.shape[2]!) / a.groups + 1,
  }),
});
