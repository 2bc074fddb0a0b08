import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { needBatchFirst, needF32, needFixed } from "./shared/checks.js";
import { convExtent, convGradients, geometry } from "./shared/conv.js";

const attrs = z.strictObject({ ...geometry, groups: z.int().positive() });
export type Conv2dAttrs = z.infer<typeof attrs>;

/** [n, h, w, ci] * [kh, kw, ci/groups, co] (+ [co]) -> [n, oh, ow, co]. */
function infer([x, w, b]: readonly TensorType[], a: Conv2dAttrs): TensorType[] {
  if (x?.shape.length !== 4 || w?.shape.length !== 4) {
    throw new IdapError("E_RANK", `conv2d needs x and w of rank 4, got x [${x?.shape}] and w [${w?.shape}]`);
  }
  needF32("conv2d", b ? [x, w, b] : [x, w]);
  needBatchFirst("conv2d", "x", x);
  const [n, h, wd, ci] = x.shape as [number, number, number, number];
  const [kh, kw, wi, co] = w.shape as [number, number, number, number];
  if (ci !== wi * a.groups || co % a.groups !== 0) {
    throw new IdapError(
      "E_CHANNELS",
      `conv2d: x has ${ci} channels but w [${w.shape}] with ${a.groups} group(s) expects ${wi * a.groups}`,
      "Was only one side of a coupling group cut? `idap inspect --groups` lists the coupled axes.",
    );
  }
  if (b && (b.shape.length !== 1 || b.shape[0] !== co)) {
    throw new IdapError("E_SHAPE", `conv2d: the bias must be [${co}], got [${b.shape}]`);
  }
  [w, b].forEach((t, i) => needFixed("conv2d", i === 0 ? "w" : "the bias", t));
  const [oh, ow] = convExtent(h, wd, kh, kw, a);
  return [{ dtype: "f32", shape: [n, oh, ow, co], batchAxis: x.batchAxis }];
}

/**
 * 2-D convolution, NHWC activations, HWIO weights, optional bias.
 * y[n,i,j,o] = b[o] + sum over ky, kx, c of x[n, i*sh + ky*dh - top, j*sw + kx*dw - left, c] * w[ky,kx,c,o],
 * where x outside its extent counts as 0. With `groups` = g, output block o/(co/g) sees input block of the same number.
 * ONNX `Conv`, TFLite `CONV_2D`, Keras `Conv2D`.
 */
export const conv2d = defineOp<Conv2dAttrs>({
  name: "conv2d",
  summary: "2-D convolution, grouped and dilated, optional bias",
  inputs: ["x", "w", "b?"],
  outputs: ["y"],
  params: [1, 2],
  attrs,
  infer,
  couple(c, { groups }) {
    const bias = c.inputTypes.length > 2;
    if (groups === 1) {
      c.tie(c.input(0, 3), c.input(1, 2));
      c.tie(c.input(1, 3), c.output(0, 3), ...(bias ? [c.input(2, 0)] : []));
      return;
    }
    // Group g of x, of w's outputs and of y lives or dies as one; inside a group the w inputs are all needed.
    c.block(c.input(0, 3), groups);
    c.block(c.output(0, 3), groups);
    c.tie(c.input(1, 3), c.output(0, 3), ...(bias ? [c.input(2, 0)] : []));
    const perIn = c.inputTypes[0]!.shape[3]! / groups;
    const perOut = c.outputTypes[0]!.shape[3]! / groups;
    c.tieMap(c.output(0, 3), c.input(0, 3), (o) => Math.floor(o / perOut) * perIn);
    c.freeze(c.input(1, 2), "the inputs of a grouped convolution belong to their whole group");
  },
  cut(c, a) {
    if (a.groups === 1) return a;
    const perIn = c.inputTypes[0]!.shape[3]! / a.groups;
    return { ...a, groups: c.keptInput(0, 3).length / perIn };
  },
  cost([x, w, b], [y]) {
    const macs = sizeOf(y!.shape) * w!.shape[0]! * w!.shape[1]! * w!.shape[2]!;
    return { macs, bytes: 4 * (sizeOf(x!.shape) + sizeOf(w!.shape) + (b ? sizeOf(b.shape) : 0) + sizeOf(y!.shape)) };
  },
  reference([x, w, b], a, [yShape]) {
    const [n, h, wd, ci] = x!.shape as [number, number, number, number];
    const [kh, kw, wi, co] = w!.shape as [number, number, number, number];
    const [, oh, ow] = yShape as [number, number, number, number];
    const y = new Float64Array(sizeOf(yShape!));
    const perOut = co / a.groups;
    let q = 0;
    for (let s = 0; s < n; s++)
      for (let i = 0; i < oh; i++)
        for (let j = 0; j < ow; j++)
          for (let o = 0; o < co; o++, q++) {
            const first = Math.floor(o / perOut) * wi;
            let sum = b ? b.data[o]! : 0;
            for (let ky = 0; ky < kh; ky++) {
              const iy = i * a.strides[0] + ky * a.dilations[0] - a.pads[0];
              if (iy < 0 || iy >= h) continue;
              for (let kx = 0; kx < kw; kx++) {
                const ix = j * a.strides[1] + kx * a.dilations[1] - a.pads[1];
                if (ix < 0 || ix >= wd) continue;
                const xo = ((s * h + iy) * wd + ix) * ci + first;
                const wo = (ky * kw + kx) * wi * co + o;
                for (let c = 0; c < wi; c++) sum += x!.data[xo + c]! * w!.data[wo + c * co]!;
              }
            }
            y[q] = sum;
          }
    return [{ data: y, shape: yShape! }];
  },
  vjp: (g) => convGradients("conv2d", g),
  // One rounding for each product and each addition of the sum, plus the bias.
  tolerance: ([, w]) => ({ kind: "roundings", count: 2 * w!.shape[0]! * w!.shape[1]! * w!.shape[2]! + 1 }),
});
