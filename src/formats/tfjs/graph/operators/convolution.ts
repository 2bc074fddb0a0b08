import { IdapError } from "../../../../model/errors.js";
import { transposed } from "../../../shared/decompose/emit.js";
import { samePadding } from "../../../shared/window.js";
import type { Converter, TfOp } from "../context.js";

type Table = Readonly<Record<string, Converter>>;
type Pair = [number, number];

/** The entries for height and width of a list with one for each axis. */
function spatial(op: TfOp, name: string, absent: number): Pair {
  const list = op.intList(name);
  if (list === null || list.length === 0) return [absent, absent];
  if (list.length === 1) return [list[0]!, list[0]!];
  if (list.length === 2) return [list[0]!, list[1]!];
  const [h, w] = op.channelsFirst ? [2, 3] : [1, 2];
  return [list[h]!, list[w]!];
}

/** Padding of a window over an image of [h, w]: top, left, bottom, right. */
function pads(op: TfOp, size: Pair, kernel: Pair, strides: Pair, dilations: Pair): [number, number, number, number] {
  const padding = op.text("padding", "VALID");
  if (padding === "EXPLICIT") {
    const [t, b] = spatialPads(op, 0);
    const [l, r] = spatialPads(op, 1);
    return [t, l, b, r];
  }
  if (padding !== "SAME") return [0, 0, 0, 0];
  const [t, b] = samePadding(size[0], kernel[0], strides[0], dilations[0]);
  const [l, r] = samePadding(size[1], kernel[1], strides[1], dilations[1]);
  return [t, l, b, r];
}

/** explicit_paddings has [before, after] for each axis. */
function spatialPads(op: TfOp, k: 0 | 1): Pair {
  const list = op.intList("explicit_paddings") ?? [];
  const axis = (op.channelsFirst ? 2 : 1) + k;
  return [list[2 * axis] ?? 0, list[2 * axis + 1] ?? 0];
}

const PADDINGS = ["SAME", "VALID", "EXPLICIT"];

function refusePadding(op: TfOp): string | null {
  const padding = op.text("padding", "VALID");
  return PADDINGS.includes(padding) ? null : `padding ${padding}`;
}

/** Activations that the fused operators end with; null: what is there cannot be read. */
const EPILOGUES: Readonly<Record<string, (op: TfOp, x: string, emit: TfOp["result"]) => string>> = {
  Relu: (op, x, emit) => emit.call(op, "relu", [x]),
  Relu6: (op, x, emit) => emit.call(op, "relu6", [x]),
  Elu: (op, x, emit) => emit.call(op, "elu", [x], { alpha: 1 }),
  Sigmoid: (op, x, emit) => emit.call(op, "sigmoid", [x]),
  LeakyRelu: (op, x, emit) => emit.call(op, "leaky_relu", [x], { alpha: op.float("leakyrelu_alpha", 0.2) }),
  // The slope comes after the bias.
  Prelu: (op, x, emit) => emit.call(op, "prelu", [x, op.input(3)]),
};

interface Fused {
  readonly bias: boolean;
  readonly activation: string | null;
}

function fusedOf(op: TfOp): Fused {
  const [first, second] = op.texts("fused_ops");
  const bias = first === "BiasAdd";
  return { bias, activation: (bias ? second : first) ?? null };
}

export function refuseFused(op: TfOp): string | null {
  const list = op.texts("fused_ops");
  const { bias, activation } = fusedOf(op);
  if (list.length > (bias ? 2 : 1)) return `fused_ops ${list.join(", ")}`;
  return activation === null || Object.hasOwn(EPILOGUES, activation) ? null : `fused ${activation}`;
}

/** `work` with the fused bias (input 2, if any) as its last operand, then the fused activation. */
export function withEpilogue(
  op: TfOp,
  last: TfOp["result"],
  work: (bias: string[], emit: TfOp["result"]) => string,
): string {
  const { bias, activation } = fusedOf(op);
  const operands = bias ? [op.input(2)] : [];
  if (activation === null) return work(operands, last);
  return EPILOGUES[activation]!(op, work(operands, op.emit), last);
}

function convolve(op: TfOp): string {
  return op.asImage(0, (x, last) => {
    const w = op.input(1);
    const [, h, wide, channels] = op.typeOf(x).shape as [number, number, number, number];
    const { shape } = op.typeOf(w);
    if (shape.length !== 4) throw new IdapError("E_RANK", `${op.where} needs a filter of rank 4, got [${shape}]`);
    const strides = spatial(op, "strides", 1);
    const dilations = spatial(op, "dilations", 1);
    const attrs = {
      strides,
      dilations,
      pads: pads(op, [h, wide], [shape[0]!, shape[1]!], strides, dilations),
      groups: channels / shape[2]!,
    };
    return withEpilogue(op, last, (bias, emit) => emit.call(op, "conv2d", [x, w, ...bias], attrs));
  });
}

/** filter [kh, kw, c, m] as in the IR. */
function convolveDepthwise(op: TfOp): string {
  return op.asImage(0, (x, last) => {
    const w = op.input(1);
    const [, h, wide] = op.typeOf(x).shape as [number, number, number];
    const { shape } = op.typeOf(w);
    if (shape.length !== 4) throw new IdapError("E_RANK", `${op.where} needs a filter of rank 4, got [${shape}]`);
    const strides = spatial(op, "strides", 1);
    const dilations = spatial(op, "dilations", 1);
    const attrs = {
      strides,
      dilations,
      pads: pads(op, [h, wide], [shape[0]!, shape[1]!], strides, dilations),
    };
    return withEpilogue(op, last, (bias, emit) => emit.call(op, "depthwise_conv2d", [x, w, ...bias], attrs));
  });
}

/**
 * The gradient of a convolution with respect to its input, used as transposed convolution: input_sizes, filter
 * [kh, kw, co, ci] and x. What is cut off is the padding of that convolution.
 */
function convolveBack(op: TfOp): string {
  const { values: sizes } = op.extents(0);
  return op.asImage(2, (x, last) => {
    const w = transposed(op, op.input(1), [0, 1, 3, 2]);
    const [kh, kw] = op.typeOf(w).shape as [number, number];
    const [, h, wide] = op.typeOf(x).shape as [number, number, number];
    const size: Pair = op.channelsFirst ? [sizes[2]!, sizes[3]!] : [sizes[1]!, sizes[2]!];
    const strides = spatial(op, "strides", 1);
    const dilations = spatial(op, "dilations", 1);
    const [top, left, bottom, right] = pads(op, size, [kh, kw], strides, dilations);
    const full = ([h, wide] as const).map((d, k) => (d - 1) * strides[k]! + dilations[k]! * ([kh, kw][k]! - 1) + 1);
    const outputPads = [size[0] - (full[0]! - top - bottom), size[1] - (full[1]! - left - right)];
    if (outputPads.some((p) => !(p >= 0))) {
      throw new IdapError("E_SHAPE", `${op.where} cannot make [${size}] of [${h}, ${wide}]`);
    }
    const attrs = { strides, dilations, pads: [top, left, bottom, right], outputPads, groups: 1 };
    return last.call(op, "conv_transpose2d", [x, w], attrs);
  });
}

const pool = (name: string, extra: object): Converter => ({
  refuse: refusePadding,
  convert: (op) =>
    op.asImage(0, (x, last) => {
      const [, h, w] = op.typeOf(x).shape as [number, number, number];
      const kernel = spatial(op, "ksize", 1);
      const strides = spatial(op, "strides", 1);
      const attrs = { kernel, strides, pads: pads(op, [h, w], kernel, strides, [1, 1]), ...extra };
      return last.call(op, name, [x], attrs);
    }),
});

/** Sizes come from a constant; TF.js counts pixels from their corners unless `half_pixel_centers`. */
const resize = (mode: "nearest" | "linear"): Converter => ({
  convert(op) {
    const [h, w] = op.numbers(1);
    const [corners, half] = [op.flag("align_corners"), op.flag("half_pixel_centers")];
    const centres = mode === "nearest" ? "tf_half_pixel_for_nn" : "half_pixel";
    return op.result("resize", [op.input(0)], {
      sizes: [h, w],
      mode,
      coordinates: corners ? "align_corners" : half ? centres : "asymmetric",
      ...(mode === "nearest" && { rounding: corners ? "round_prefer_ceil" : "floor" }),
    });
  },
});

const refuse = (op: TfOp): string | null => refusePadding(op) ?? refuseFused(op);
const conv2d: Converter = { refuse, convert: convolve };
const depthwise: Converter = { refuse, convert: convolveDepthwise };

export const convolution: Table = {
  Conv2D: conv2d,
  _FusedConv2D: conv2d,
  DepthwiseConv2d: depthwise,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: { refuse: refusePadding, convert: convolveBack },
  MaxPool: pool("max_pool2d", {}),
  AvgPool: pool("avg_pool2d", { countIncludePad: false }),
  ResizeBilinear: resize("linear"),
  ResizeNearestNeighbor: resize("nearest"),
};
