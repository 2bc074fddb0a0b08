import { IdapError } from "../../../model/errors.js";
import { permute } from "../../shared/permute.js";
import { samePadding } from "../../shared/window.js";
import { activationOf, refuseActivation, refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F, PADDING_SAME } from "../schema.js";

/** Strides and padding of a window over the NHWC operand 0. */
export function windowOf(
  op: TfliteOp,
  fields: { padding: number; strideW: number; strideH: number },
  kernel: readonly [number, number],
  dilations: readonly [number, number],
): { strides: [number, number]; pads: [number, number, number, number] } {
  const strides: [number, number] = [
    op.option((o) => o.i32(fields.strideH), 0),
    op.option((o) => o.i32(fields.strideW), 0),
  ];
  const { shape } = op.type(op.input(0));
  if (shape.length !== 4) throw new IdapError("E_RANK", `${op.where} needs an operand of rank 4, got [${shape}]`);
  if ([...strides, ...kernel, ...dilations].some((n) => n < 1)) {
    throw new IdapError(
      "E_FORMAT",
      `${op.where} has the window [${kernel}] with strides [${strides}] and dilations [${dilations}]; all must be at least 1`,
    );
  }
  if (op.option((o) => o.i8(fields.padding), 0) !== PADDING_SAME) return { strides, pads: [0, 0, 0, 0] };
  const [top, bottom] = samePadding(shape[1]!, kernel[0], strides[0], dilations[0]);
  const [left, right] = samePadding(shape[2]!, kernel[1], strides[1], dilations[1]);
  return { strides, pads: [top, left, bottom, right] };
}

function dilationsOf(op: TfliteOp, fields: { dilationH: number; dilationW: number }): [number, number] {
  return [op.option((o) => o.i32(fields.dilationH, 1), 1), op.option((o) => o.i32(fields.dilationW, 1), 1)];
}

function rank4(op: TfliteOp, i: number): [number, number, number, number] {
  const { shape } = op.fileTensor(i);
  if (shape.length !== 4) throw new IdapError("E_RANK", `${op.where}: weights must have rank 4, got [${shape}]`);
  return shape as unknown as [number, number, number, number];
}

/** The bias in operand `i`; none where it is absent, or floats that are all zero, which is how files write none. */
function biasOf(op: TfliteOp, i: number): string[] {
  if (!op.has(i)) return [];
  const { type } = op.fileTensor(i);
  const none = type === "float32" && op.isConstant(i) && op.floats(i).every((v) => v === 0);
  return none ? [] : [op.input(i)];
}

/** x, weights [co, kh, kw, ci/groups], bias? */
const CONV_2D: Converter = {
  refuse: (op) => refuseActivation(op, F.Conv2D.activation) ?? refuseComputed(op, { 1: "weights", 2: "a bias" }),
  convert(op) {
    const [co, kh, kw, perGroup] = rank4(op, 1);
    const dilations = dilationsOf(op, F.Conv2D);
    const { strides, pads } = windowOf(op, F.Conv2D, [kh, kw], dilations);
    const channels = op.type(op.input(0)).shape[3]!;
    if (channels % perGroup !== 0) {
      throw new IdapError("E_CHANNELS", `${op.where}: x has ${channels} channels but the weights take ${perGroup}`);
    }
    const w = op.weights(
      1,
      "hwio",
      [kh, kw, perGroup, co],
      (floats) => permute(floats, [co, kh, kw, perGroup], [1, 2, 3, 0]),
      [3, 0, 1, 2],
    );
    const inputs = [op.input(0), w, ...biasOf(op, 2)];
    const attrs = { strides, dilations, pads, groups: channels / perGroup };
    op.result("conv2d", inputs, attrs, activationOf(op, F.Conv2D.activation));
  },
};

/** x, weights [1, kh, kw, c * m], bias?; output channel c * m + j as in the IR. */
const DEPTHWISE_CONV_2D: Converter = {
  refuse: (op) =>
    refuseActivation(op, F.DepthwiseConv2D.activation) ?? refuseComputed(op, { 1: "weights", 2: "a bias" }),
  convert(op) {
    const [one, kh, kw, co] = rank4(op, 1);
    const dilations = dilationsOf(op, F.DepthwiseConv2D);
    const { strides, pads } = windowOf(op, F.DepthwiseConv2D, [kh, kw], dilations);
    const channels = op.type(op.input(0)).shape[3]!;
    if (one !== 1 || co % channels !== 0) {
      throw new IdapError(
        "E_CHANNELS",
        `${op.where}: x has ${channels} channels but the weights are [${op.fileTensor(1).shape}]`,
      );
    }
    const w = op.weights(1, "depthwise", [kh, kw, channels, co / channels], (floats) => floats, [
      null,
      0,
      1,
      co === channels ? 2 : channels === 1 ? 3 : null,
    ]);
    const inputs = [op.input(0), w, ...biasOf(op, 2)];
    const activation = activationOf(op, F.DepthwiseConv2D.activation);
    op.result("depthwise_conv2d", inputs, { strides, dilations, pads }, activation);
  },
};

/**
 * Output shape, weights [co, kh, kw, ci], x, bias?. The padding is that of the convolution from the output back to x;
 * what the taps reach beyond the stated shape is cut off at the end, and what they do not reach is added there.
 */
const TRANSPOSE_CONV: Converter = {
  refuse: (op) =>
    refuseActivation(op, F.TransposeConv.activation) ??
    refuseComputed(op, { 0: "an output shape", 1: "weights", 3: "a bias" }),
  convert(op) {
    const [co, kh, kw, ci] = rank4(op, 1);
    const x = op.input(2);
    const { shape } = op.type(x);
    const target = op.target(0).one;
    if (shape.length !== 4 || target.length !== 4 || target.some((d) => d < 1)) {
      throw new IdapError("E_RANK", `${op.where} needs an operand of rank 4, got [${shape}], to give [${target}]`);
    }
    const f = F.TransposeConv;
    const strides = [op.option((o) => o.i32(f.strideH), 0), op.option((o) => o.i32(f.strideW), 0)];
    if (strides.some((s) => s < 1)) throw new IdapError("E_FORMAT", `${op.where} has the strides [${strides}]`);
    const same = op.option((o) => o.i8(f.padding), 0) === PADDING_SAME;
    const ends = [kh, kw].map((kernel, k) => {
      const [size, out, stride] = [shape[k + 1]!, target[k + 1]!, strides[k]!];
      const before = same ? samePadding(out, kernel, stride, 1)[0] : 0;
      const reached = (size - 1) * stride + kernel - before;
      return { before, after: Math.max(reached - out, 0), more: Math.max(out - reached, 0) };
    });
    const [v, h] = ends as [(typeof ends)[0], (typeof ends)[0]];
    const w = op.weights(
      1,
      "hwio, transposed",
      [kh, kw, ci, co],
      (floats) => permute(floats, [co, kh, kw, ci], [1, 2, 3, 0]),
      [3, 0, 1, 2],
    );
    const attrs = {
      strides,
      dilations: [1, 1],
      pads: [v.before, h.before, v.after, h.after],
      outputPads: [v.more, h.more],
      groups: 1,
    };
    const inputs = [x, w, ...biasOf(op, 3)];
    op.result("conv_transpose2d", inputs, attrs, activationOf(op, f.activation));
  },
};

export const convolution: Readonly<Record<string, Converter>> = { CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV };
