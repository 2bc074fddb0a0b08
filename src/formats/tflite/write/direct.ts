import type { Dtype, Node, TensorData, TensorType } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { samePadding } from "../../shared/window.js";
import { F, PADDING_SAME, PADDING_VALID, TENSOR_TYPES, UNIONS } from "../schema.js";
import type { TfliteWriter } from "./context.js";
import { lstm } from "./lstm.js";

/** What decides whether a node is one TFLite operator. */
export interface Use {
  readonly attrs: any;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** Whether operand `i` is a constant. */
  constant(i: number): boolean;
  /** Values of operand `i`, null where it is computed. */
  data(i: number): TensorData | null;
  /** Whether output `i` is read by anybody. */
  read(i: number): boolean;
}

/** An operator of the IR that is one of TFLite. */
export interface Direct {
  fits?(use: Use): boolean;
  write(w: TfliteWriter, node: Node, attrs: any): void;
}

const positions = (w: TfliteWriter, node: Node): number[] => node.inputs.map((x) => w.at(x));

/** The same operands under another name. */
function plain(code: string, dtypes: readonly Dtype[] = ["f32"]): Direct {
  return {
    fits: ({ inputs }) => inputs.every((t) => dtypes.includes(t.dtype)),
    write: (w, node) => w.emit(code, node, positions(w, node)),
  };
}

const NUMBERS: readonly Dtype[] = ["f32", "i32"];

function fusing(code: string, union: number): Direct {
  return {
    fits: ({ inputs }) => inputs.every((t) => NUMBERS.includes(t.dtype)),
    write: (w, node) => w.emitFused(code, node, positions(w, node), { union, fields: [] }, F.Binary.activation),
  };
}

type Pads = readonly [number, number, number, number];
interface Window {
  readonly strides: readonly [number, number];
  readonly pads: Pads;
  readonly dilations?: readonly [number, number];
}

/** SAME or VALID where one of them gives these pads; null where neither does. */
export function paddingOf({ shape }: TensorType, kernel: readonly [number, number], a: Window): number | null {
  if (a.pads.every((p) => p === 0)) return PADDING_VALID;
  const [dy, dx] = a.dilations ?? [1, 1];
  const [top, bottom] = samePadding(shape[1]!, kernel[0], a.strides[0], dy);
  const [left, right] = samePadding(shape[2]!, kernel[1], a.strides[1], dx);
  return [top, left, bottom, right].every((p, i) => p === a.pads[i]) ? PADDING_SAME : null;
}

function kernelOf({ shape }: TensorType): [number, number] {
  return [shape[0]!, shape[1]!];
}

/** LiteRT.js computes convolutions without a bias as zeros, so each has one: the node's, or zeros. */
function biasOf(w: TfliteWriter, bias: string | undefined, channels: number): number {
  if (bias !== undefined) return w.at(bias);
  return w.constant("zeros", "f32", [channels], new Float32Array(channels), `zeros ${channels}`);
}

const conv2d: Direct = {
  fits: (u) => u.constant(1) && paddingOf(u.inputs[0]!, kernelOf(u.inputs[1]!), u.attrs) !== null,
  write(w, node, a) {
    const [x, k, bias] = node.inputs as [string, string, string?];
    const [kh, kw, ci, co] = w.type(k).shape as unknown as [number, number, number, number];
    const weights = w.converted(k, "ohwi", [co, kh, kw, ci], (d) => permute(d, [kh, kw, ci, co], [3, 0, 1, 2]));
    const f = F.Conv2D;
    const fields = [
      { id: f.padding, i8: paddingOf(w.type(x), [kh, kw], a)! },
      { id: f.strideW, i32: a.strides[1] },
      { id: f.strideH, i32: a.strides[0] },
      { id: f.dilationW, i32: a.dilations[1] },
      { id: f.dilationH, i32: a.dilations[0] },
    ];
    const inputs = [w.at(x), weights, biasOf(w, bias, co)];
    w.emitFused("CONV_2D", node, inputs, { union: UNIONS.Conv2D, fields }, f.activation);
  },
};

const depthwise: Direct = {
  fits: conv2d.fits!,
  write(w, node, a) {
    const [x, k, bias] = node.inputs as [string, string, string?];
    const [kh, kw, c, m] = w.type(k).shape as unknown as [number, number, number, number];
    const weights = w.converted(k, "depthwise", [1, kh, kw, c * m], (d) => d);
    const f = F.DepthwiseConv2D;
    const fields = [
      { id: f.padding, i8: paddingOf(w.type(x), [kh, kw], a)! },
      { id: f.strideW, i32: a.strides[1] },
      { id: f.strideH, i32: a.strides[0] },
      { id: f.multiplier, i32: m },
      { id: f.dilationW, i32: a.dilations[1] },
      { id: f.dilationH, i32: a.dilations[0] },
    ];
    const inputs = [w.at(x), weights, biasOf(w, bias, c * m)];
    w.emitFused("DEPTHWISE_CONV_2D", node, inputs, { union: UNIONS.DepthwiseConv2D, fields }, f.activation);
  },
};

/** TFLite cuts off less at the start than at the end; other cuts are a slice of the whole. */
const transposed: Direct = {
  fits({ attrs: a, inputs, outputs, constant }) {
    if (!constant(1) || a.groups !== 1 || a.dilations.some((d: number) => d !== 1)) return false;
    return transposePadding(inputs[0]!, inputs[1]!, outputs[0]!, a) !== null;
  },
  write(w, node, a) {
    const [x, k, bias] = node.inputs as [string, string, string?];
    const [kh, kw, ci, co] = w.type(k).shape as unknown as [number, number, number, number];
    const weights = w.converted(k, "ohwi", [co, kh, kw, ci], (d) => permute(d, [kh, kw, ci, co], [3, 0, 1, 2]));
    const type = w.type(node.outputs[0]!);
    const f = F.TransposeConv;
    const fields = [
      { id: f.padding, i8: transposePadding(w.type(x), w.type(k), type, a)! },
      { id: f.strideW, i32: a.strides[1] },
      { id: f.strideH, i32: a.strides[0] },
    ];
    const inputs = [outputShape(w, node, w.at(x), type), weights, w.at(x), biasOf(w, bias, co)];
    w.emitFused("TRANSPOSE_CONV", node, inputs, { union: UNIONS.TransposeConv, fields }, f.activation);
  },
};

/** SAME or VALID of a transposed convolution that cuts and adds what `a` says; null where neither does. */
function transposePadding(
  x: TensorType,
  k: TensorType,
  y: TensorType,
  a: Window & { outputPads: number[] },
): number | null {
  const fits = (same: boolean): boolean =>
    ([0, 1] as const).every((i) => {
      const [kernel, stride, out] = [k.shape[i]!, a.strides[i], y.shape[i + 1]!];
      const before = same ? samePadding(out, kernel, stride, 1)[0] : 0;
      const reached = (x.shape[i + 1]! - 1) * stride + kernel - before;
      const after = Math.max(reached - out, 0);
      return before === a.pads[i] && after === a.pads[i + 2] && Math.max(out - reached, 0) === a.outputPads[i];
    });
  return fits(false) ? PADDING_VALID : fits(true) ? PADDING_SAME : null;
}

/** The shape of an output, its batch taken from the input at run time. */
function outputShape(w: TfliteWriter, node: Node, x: number, { shape, batchAxis }: TensorType): number {
  if (batchAxis === null) return w.ints(shape);
  const part = (suffix: string, length: number): number => w.scratch(`${node.name}/${suffix}`, "i32", [length]);
  const [all, batch, target] = [part("input_shape", 4), part("batch", 1), part("output_shape", 4)];
  w.add("SHAPE", [x], [all]);
  w.add("SLICE", [all, w.ints([0]), w.ints([1])], [batch]);
  const fields = [{ id: F.Concatenation.axis, i32: 0 }];
  w.add("CONCATENATION", [batch, w.ints(shape.slice(1))], [target], { union: UNIONS.Concatenation, fields });
  return target;
}

/** Rows of x times [k, n]; the file has the weights as [n, k]. */
const dense: Direct = {
  fits: ({ constant }) => constant(1),
  write(w, node) {
    const [x, k, bias] = node.inputs as [string, string, string | undefined];
    const [depth, n] = w.type(k).shape as unknown as [number, number];
    const weights = w.converted(k, "oi", [n, depth], (d) => permute(d, [depth, n], [1, 0]));
    const f = F.FullyConnected;
    const fields = [{ id: f.keepNumDims, i8: w.type(x).shape.length > 2 ? 1 : 0 }];
    const inputs = [w.at(x), weights, bias === undefined ? -1 : w.at(bias)];
    w.emitFused("FULLY_CONNECTED", node, inputs, { union: UNIONS.FullyConnected, fields }, f.activation);
  },
};

const matmul: Direct = {
  fits: ({ inputs }) => inputs.every((t) => t.shape.length >= 2 && t.shape.length <= 5),
  write(w, node, { transposeA, transposeB }) {
    const f = F.BatchMatMul;
    const fields = [
      { id: f.adjX, i8: Number(transposeA) },
      { id: f.adjY, i8: Number(transposeB) },
    ];
    w.emit("BATCH_MATMUL", node, positions(w, node), { union: UNIONS.BatchMatMul, fields });
  },
};

function pool(code: string, average: boolean): Direct {
  return {
    fits: ({ attrs: a, inputs }) =>
      (a.dilations ?? [1, 1]).every((d: number) => d === 1) &&
      paddingOf(inputs[0]!, a.kernel, a) !== null &&
      // What the padding counts for shows only where there is some.
      (!average || !a.countIncludePad || a.pads.every((p: number) => p === 0)),
    write(w, node, a) {
      const f = F.Pool2D;
      const fields = [
        { id: f.padding, i8: paddingOf(w.type(node.inputs[0]!), a.kernel, a)! },
        { id: f.strideW, i32: a.strides[1] },
        { id: f.strideH, i32: a.strides[0] },
        { id: f.filterW, i32: a.kernel[1] },
        { id: f.filterH, i32: a.kernel[0] },
      ];
      w.emitFused(code, node, positions(w, node), { union: UNIONS.Pool2D, fields }, f.activation);
    },
  };
}

function reduce(code: string, dtypes = NUMBERS): Direct {
  return {
    fits: ({ inputs }) => dtypes.includes(inputs[0]!.dtype),
    write(w, node, { axes, keepDims }) {
      const fields = [{ id: F.Reducer.keepDims, i8: Number(keepDims) }];
      w.emit(code, node, [w.at(node.inputs[0]!), w.ints(axes)], { union: UNIONS.Reducer, fields });
    },
  };
}

/** -1 on the batch axis, else the extent. */
const openAt = ({ shape, batchAxis }: TensorType): number[] => shape.map((d, i) => (i === batchAxis ? -1 : d));

const reshape: Direct = {
  write: (w, node) => w.emit("RESHAPE", node, [w.at(node.inputs[0]!), w.ints(openAt(w.type(node.outputs[0]!)))]),
};

const slice: Direct = {
  write(w, node, { begin, size, steps }: { begin: number[]; size: number[]; steps?: number[] }) {
    const [x] = node.inputs as [string];
    if (!steps || steps.every((s) => s === 1)) {
      return w.emit("SLICE", node, [w.at(x), w.ints(begin), w.ints(size)]);
    }
    const end = begin.map((b, i) => b + steps[i]! * size[i]!);
    // Backwards to the first element, there is no index to stop at.
    const open = end.map((e, i) => size[i] === -1 || e < 0);
    const mask = open.reduce((m, is, i) => m | (is ? 1 << i : 0), 0);
    const ends = w.ints(end.map((e, i) => (open[i] ? 0 : e)));
    w.emit("STRIDED_SLICE", node, [w.at(x), w.ints(begin), ends, w.ints(steps)], {
      union: UNIONS.StridedSlice,
      fields: [{ id: F.StridedSlice.endMask, i32: mask }],
    });
  },
};

const pad: Direct = {
  fits: ({ attrs, inputs }) =>
    ["constant", "reflect", "symmetric"].includes(attrs.mode ?? "constant") && NUMBERS.includes(inputs[0]!.dtype),
  write(w, node, { before, after, value, mode }: { before: number[]; after: number[]; value: number; mode?: string }) {
    const [x] = node.inputs as [string];
    const widths = w.ints(before.flatMap((b, i) => [b, after[i]!]), [before.length, 2]); // prettier-ignore
    if (mode !== undefined && mode !== "constant") {
      const fields = [{ id: F.MirrorPad.mode, i8: mode === "reflect" ? 0 : 1 }];
      return w.emit("MIRROR_PAD", node, [w.at(x), widths], { union: UNIONS.MirrorPad, fields });
    }
    if (value === 0) return w.emit("PAD", node, [w.at(x), widths]);
    const filling = w.type(x).dtype === "f32" ? w.float(value) : w.ints([value], []);
    w.emit("PADV2", node, [w.at(x), widths, filling]);
  },
};

const concat: Direct = {
  write: (w, node, { axis }) =>
    w.emitFused("CONCATENATION", node, positions(w, node), { union: UNIONS.Concatenation, fields: [{ id: F.Concatenation.axis, i32: axis }] }, F.Concatenation.activation), // prettier-ignore
};

const softmax: Direct = {
  fits: ({ attrs, inputs }) => attrs.axis === inputs[0]!.shape.length - 1,
  write: (w, node) =>
    w.emit("SOFTMAX", node, positions(w, node), { union: UNIONS.Softmax, fields: [{ id: F.Softmax.beta, f32: 1 }] }),
};

const gather: Direct = {
  write: (w, node, { axis }) =>
    w.emit("GATHER", node, positions(w, node), { union: UNIONS.Gather, fields: [{ id: F.Gather.axis, i32: axis }] }),
};

const TFLITE_TYPE: Readonly<Record<Dtype, number>> = {
  f32: TENSOR_TYPES.indexOf("float32"),
  i32: TENSOR_TYPES.indexOf("int32"),
  i64: TENSOR_TYPES.indexOf("int64"),
  i8: TENSOR_TYPES.indexOf("int8"),
  u8: TENSOR_TYPES.indexOf("uint8"),
  bool: TENSOR_TYPES.indexOf("bool"),
};

const cast: Direct = {
  write(w, node, { to }: { to: Dtype }) {
    const fields = [
      { id: 0, i8: TFLITE_TYPE[w.type(node.inputs[0]!).dtype] },
      { id: 1, i8: TFLITE_TYPE[to] },
    ];
    w.emit("CAST", node, positions(w, node), { union: UNIONS.Cast, fields });
  },
};

const arg: Direct = {
  fits: ({ attrs }) => !attrs.keepDims && !attrs.last,
  write(w, node, { axis, kind }) {
    const union = kind === "max" ? UNIONS.ArgMax : UNIONS.ArgMin;
    const inputs = [w.at(node.inputs[0]!), w.ints([axis], [])];
    w.emit(kind === "max" ? "ARG_MAX" : "ARG_MIN", node, inputs, { union, fields: [{ id: 0, i8: TFLITE_TYPE.i32 }] });
  },
};

const topK: Direct = {
  fits: ({ attrs, inputs }) => attrs.largest && attrs.axis === inputs[0]!.shape.length - 1,
  write: (w, node, { k }) => w.emit("TOPK_V2", node, [w.at(node.inputs[0]!), w.ints([k], [])]),
};

const cumsum: Direct = {
  write(w, node, { axis, exclusive, reverse }) {
    const fields = [
      { id: F.Cumsum.exclusive, i8: Number(exclusive) },
      { id: F.Cumsum.reverse, i8: Number(reverse) },
    ];
    w.emit("CUMSUM", node, [w.at(node.inputs[0]!), w.ints([axis], [])], { union: UNIONS.Cumsum, fields });
  },
};

/** Whether TensorFlow has this rule; the rest is made of gathers. */
function resizeRule(
  { mode, coordinates, rounding, scales, sizes }: any,
  { shape }: TensorType,
): [aligned: boolean, half: boolean] | null {
  if (scales && !sizes.every((s: number, i: number) => scales[i] === s / shape[i + 1]!)) return null;
  const aligned = coordinates === "align_corners";
  if (mode === "linear") {
    return ["align_corners", "half_pixel", "asymmetric"].includes(coordinates)
      ? [aligned, coordinates === "half_pixel"]
      : null;
  }
  if (mode !== "nearest") return null;
  if (aligned) return rounding === "round_prefer_ceil" ? [true, false] : null;
  if (rounding !== "floor") return null;
  return coordinates === "asymmetric" ? [false, false] : coordinates === "tf_half_pixel_for_nn" ? [false, true] : null;
}

const resize: Direct = {
  fits: ({ attrs, inputs }) =>
    inputs[0]!.dtype === "f32" && !attrs.excludeOutside && resizeRule(attrs, inputs[0]!) !== null,
  write(w, node, a) {
    const [x] = node.inputs as [string];
    const [aligned, half] = resizeRule(a, w.type(x))!;
    const [code, f, union] =
      a.mode === "linear"
        ? (["RESIZE_BILINEAR", F.ResizeBilinear, UNIONS.ResizeBilinear] as const)
        : (["RESIZE_NEAREST_NEIGHBOR", F.ResizeNearest, UNIONS.ResizeNearest] as const);
    const fields = [
      { id: f.alignCorners, i8: Number(aligned) },
      { id: f.halfPixel, i8: Number(half) },
    ];
    w.emit(code, node, [w.at(x), w.ints(a.sizes)], { union, fields });
  },
};

/** Integers of the interface; the file states their scale with the tensor. */
const dequantize: Direct = {
  fits: ({ inputs }) => inputs[0]!.dtype !== "i32",
  write(w, node, { scale, zeroPoint, axis }) {
    w.quantised(node.inputs[0]!, { scale, zeroPoint, axis });
    w.emit("DEQUANTIZE", node, positions(w, node));
  },
};

const quantize: Direct = {
  fits: ({ attrs }) => attrs.dtype !== "i32" && attrs.rounding !== "even",
  write(w, node, { scale, zeroPoint, axis }) {
    w.emit("QUANTIZE", node, positions(w, node));
    w.quantised(node.outputs[0]!, { scale, zeroPoint, axis });
  },
};

/** Bounds that have an operator of their own. */
const CLIPS: Readonly<Record<string, string>> = { "-1,1": "RELU_N1_TO_1", "0,1": "RELU_0_TO_1" };

const clip: Direct = {
  fits: ({ attrs, inputs }) => inputs[0]!.dtype === "f32" && Object.hasOwn(CLIPS, `${attrs.min},${attrs.max}`),
  write: (w, node, { min, max }) => w.emit(CLIPS[`${min},${max}`]!, node, positions(w, node)),
};

const elu: Direct = {
  fits: ({ attrs }) => attrs.alpha === 1,
  write: (w, node) => w.emit("ELU", node, positions(w, node)),
};

const leakyRelu: Direct = {
  write: (w, node, { alpha }) =>
    w.emit("LEAKY_RELU", node, positions(w, node), { union: UNIONS.LeakyRelu, fields: [{ id: F.LeakyRelu.alpha, f32: alpha }] }), // prettier-ignore
};

const gelu: Direct = {
  write: (w, node, { approximate }) =>
    w.emit("GELU", node, positions(w, node), { union: UNIONS.Gelu, fields: [{ id: F.Gelu.approximate, i8: approximate === "tanh" ? 1 : 0 }] }), // prettier-ignore
};

const transpose: Direct = {
  write: (w, node, { perm }) => w.emit("TRANSPOSE", node, [w.at(node.inputs[0]!), w.ints(perm)]),
};

const tile: Direct = {
  write: (w, node, { repeats }) => w.emit("TILE", node, [w.at(node.inputs[0]!), w.ints(repeats)]),
};

const broadcastTo: Direct = {
  fits: ({ outputs }) => outputs[0]!.batchAxis === null,
  write: (w, node, { shape }) => w.emit("BROADCAST_TO", node, [w.at(node.inputs[0]!), w.ints(shape)]),
};

/** Operators of the IR that are one TFLite operator, in the uses that `fits` tells. */
export const direct: Readonly<Record<string, Direct>> = {
  abs: plain("ABS", NUMBERS),
  add: fusing("ADD", UNIONS.Add),
  arg_reduce: arg,
  avg_pool2d: pool("AVERAGE_POOL_2D", true),
  broadcast_to: broadcastTo,
  cast,
  ceil: plain("CEIL"),
  clip,
  concat,
  conv2d,
  conv_transpose2d: transposed,
  cos: plain("COS"),
  cumsum,
  dense,
  depthwise_conv2d: depthwise,
  dequantize,
  div: fusing("DIV", UNIONS.Div),
  elu,
  equal: plain("EQUAL", ["f32", "i32", "bool"]),
  exp: plain("EXP"),
  floor: plain("FLOOR"),
  floor_div: plain("FLOOR_DIV", NUMBERS),
  floor_mod: plain("FLOOR_MOD", NUMBERS),
  gather,
  gelu,
  greater: plain("GREATER", NUMBERS),
  greater_equal: plain("GREATER_EQUAL", NUMBERS),
  hard_swish: plain("HARD_SWISH"),
  leaky_relu: leakyRelu,
  less: plain("LESS", NUMBERS),
  less_equal: plain("LESS_EQUAL", NUMBERS),
  log: plain("LOG"),
  logical_and: plain("LOGICAL_AND", ["bool"]),
  logical_not: plain("LOGICAL_NOT", ["bool"]),
  logical_or: plain("LOGICAL_OR", ["bool"]),
  logical_xor: plain("NOT_EQUAL", ["bool"]),
  lstm,
  matmul,
  max: plain("MAXIMUM", NUMBERS),
  max_pool2d: pool("MAX_POOL_2D", false),
  min: plain("MINIMUM", NUMBERS),
  mul: fusing("MUL", UNIONS.Mul),
  neg: plain("NEG", NUMBERS),
  not_equal: plain("NOT_EQUAL", ["f32", "i32", "bool"]),
  pad,
  pow: plain("POW", NUMBERS),
  prelu: plain("PRELU"),
  quantize,
  reduce_max: reduce("REDUCE_MAX"),
  reduce_mean: reduce("MEAN", ["f32"]),
  reduce_min: reduce("REDUCE_MIN"),
  reduce_prod: reduce("REDUCE_PROD"),
  reduce_sum: reduce("SUM"),
  relu: plain("RELU"),
  relu6: plain("RELU6"),
  reshape,
  resize,
  round: plain("ROUND"),
  rsqrt: plain("RSQRT"),
  select: { write: (w, node) => w.emit("SELECT_V2", node, positions(w, node)) },
  sigmoid: plain("LOGISTIC"),
  sign: plain("SIGN", NUMBERS),
  sin: plain("SIN"),
  slice,
  softmax,
  sqrt: plain("SQRT"),
  sub: fusing("SUB", UNIONS.Sub),
  tanh: plain("TANH"),
  tile,
  top_k: topK,
  transpose,
};
