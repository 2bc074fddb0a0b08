import { padSource, type PadMode } from "../../../model/ops/shared/pad-modes.js";
import { divisors } from "../../../model/ops/shared/pool.js";
import { INTEGER_RANGE, type QuantAttrs, type ScaleAttrs } from "../../../model/ops/shared/quant.js";
import { resizeMaps, type ResizeAttrs } from "../../../model/ops/resize.js";
import { sizeOf, type Attrs, type TensorType } from "../../../model/types.js";
import { insertAxis, reshapeTo, transposed, type Emitter } from "../../shared/decompose/emit.js";
import { unrolled, whyNotUnrolled } from "../../shared/decompose/recurrent.js";
import type { Use } from "./direct.js";

/** Adds operators that TFLite has, or that are made up of those in turn. */
export interface Legaliser extends Emitter {
  /** A node with several outputs. */
  all(op: string, inputs: readonly string[], attrs?: Attrs): string[];
}

/** Unwinds a decomposition that does not exist after all; the message says what about the node is in the way. */
export class Unwritable extends Error {}

/** The outputs of an operator, by others. */
export type Decomposition = (e: Legaliser, inputs: readonly string[], attrs: any, use: Use) => string[];

/** The arithmetic of the formulas below; numbers are scalar constants. */
export function calculator(e: Legaliser) {
  const operand = (v: string | number): string => (typeof v === "number" ? e.constant([], Float32Array.of(v)) : v);
  const binary = (op: string) => (a: string | number, b: string | number) => e.emit(op, [operand(a), operand(b)]);
  const unary = (op: string) => (x: string) => e.emit(op, [x]);
  return {
    add: binary("add"),
    sub: binary("sub"),
    mul: binary("mul"),
    div: binary("div"),
    min: binary("min"),
    max: binary("max"),
    floorMod: binary("floor_mod"),
    abs: unary("abs"),
    exp: unary("exp"),
    log: unary("log"),
    neg: unary("neg"),
    relu: unary("relu"),
    sigmoid: unary("sigmoid"),
    sign: unary("sign"),
    floor: unary("floor"),
    round: unary("round"),
    rsqrt: unary("rsqrt"),
    tanh: unary("tanh"),
  };
}
export type Calculator = ReturnType<typeof calculator>;

const formula =
  (f: (c: Calculator, x: string, attrs: any) => string): Decomposition =>
  (e, [x], attrs) => [f(calculator(e), x!, attrs)];

const elu = (c: Calculator, x: string, alpha: number): string =>
  c.add(c.mul(c.sub(c.exp(c.min(x, 0)), 1), alpha), c.relu(x));

const clip: Decomposition = (e, [x], { min, max }, { inputs }) => {
  const bound = (v: number): string =>
    e.constant([], inputs[0]!.dtype === "f32" ? Float32Array.of(v) : Int32Array.of(v));
  const low = min === null ? x! : e.emit("max", [x!, bound(min)]);
  return [max === null ? low : e.emit("min", [low, bound(max)])];
};

type Pads = readonly [number, number, number, number];

/** Rows and columns around an image. */
function around(e: Legaliser, x: string, [top, left, bottom, right]: Pads, value: number): string {
  if (top + left + bottom + right === 0) return x;
  return e.emit("pad", [x], { before: [0, top, left, 0], after: [0, bottom, right, 0], value });
}

const NO_PADS: Pads = [0, 0, 0, 0];

/** A convolution whose padding is neither SAME nor VALID. */
function paddedConv(op: string): Decomposition {
  return (e, [x, w, ...bias], attrs, { constant }) => {
    if (!constant(1) || attrs.pads.every((p: number) => p === 0)) throw new Unwritable();
    return [e.emit(op, [around(e, x!, attrs.pads, 0), w!, ...bias], { ...attrs, pads: NO_PADS })];
  };
}

/** Below every other number, so that padding never wins. */
const LOWEST = -3.4028234663852886e38;

/** The pixels under tap (i, j) of all windows of a padded image. */
function tap(
  e: Legaliser,
  x: string,
  [i, j]: readonly [number, number],
  strides: readonly number[],
  y: TensorType,
): string {
  const size = y.shape.map((d, axis) => (axis === 1 || axis === 2 ? d : -1));
  return e.emit("slice", [x], { begin: [0, i, j, 0], size, steps: [1, strides[0]!, strides[1]!, 1] });
}

/** Dilated windows tap by tap. */
function taps(e: Legaliser, x: string, attrs: any, y: TensorType, join: "max" | "add"): string {
  const [dy, dx] = attrs.dilations as [number, number];
  const parts: string[] = [];
  for (let i = 0; i < attrs.kernel[0]; i++)
    for (let j = 0; j < attrs.kernel[1]; j++) parts.push(tap(e, x, [i * dy, j * dx], attrs.strides, y));
  return parts.reduce((a, b) => e.emit(join, [a, b]));
}

const isDilated = ({ dilations = [1, 1] }: { dilations?: number[] }): boolean => dilations.some((d) => d !== 1);

const maxPool: Decomposition = (e, [x], attrs, { outputs }) => {
  const wide = around(e, x!, attrs.pads, LOWEST);
  if (isDilated(attrs)) return [taps(e, wide, attrs, outputs[0]!, "max")];
  if (wide === x) throw new Unwritable();
  return [e.emit("max_pool2d", [wide], { ...attrs, pads: NO_PADS })];
};

/** The sum of each window over the number of values that count in it. */
const avgPool: Decomposition = (e, [x], attrs, { inputs, outputs }) => {
  const [, oh, ow] = outputs[0]!.shape as [number, number, number];
  const wide = around(e, x!, attrs.pads, 0);
  const area = attrs.kernel[0] * attrs.kernel[1];
  const dilated = isDilated(attrs);
  if (!dilated && wide === x) throw new Unwritable();
  const whole = dilated
    ? taps(e, wide, attrs, outputs[0]!, "add")
    : e.emit("avg_pool2d", [wide], { ...attrs, pads: NO_PADS, padsCounted: undefined, countIncludePad: false });
  const counts = divisors([1, ...inputs[0]!.shape.slice(1)], [1, oh, ow, 1], attrs);
  const factors = Float32Array.from(counts, (n) => (dilated ? 1 : area) / n);
  return [factors.every((f) => f === 1) ? whole : e.emit("mul", [whole, e.constant([1, oh, ow, 1], factors)])];
};

/** The whole result, then what is cut off and added. */
const convTranspose: Decomposition = (e, [x, w, bias], attrs, { inputs, outputs, constant }) => {
  const { pads, strides, outputPads, groups, dilations } = attrs;
  if (!constant(1) || groups !== 1 || isDilated({ dilations })) throw new Unwritable();
  const [kh, kw] = inputs[1]!.shape as [number, number];
  const full = [kh, kw].map((kernel, i) => (inputs[0]!.shape[i + 1]! - 1) * strides[i] + kernel);
  const cut = [0, 1].map((i) => Math.min(full[i]! - pads[i], outputs[0]!.shape[i + 1]!));
  if (pads.every((p: number) => p === 0) && outputPads.every((p: number) => p === 0)) throw new Unwritable();
  let y = e.emit("conv_transpose2d", [x!, w!], { ...attrs, pads: NO_PADS, outputPads: [0, 0] });
  if (cut.some((d, i) => d !== full[i])) {
    y = e.emit("slice", [y], { begin: [0, pads[0], pads[1], 0], size: [-1, cut[0]!, cut[1]!, -1] });
  }
  y = around(e, y, [0, 0, outputs[0]!.shape[1]! - cut[0]!, outputs[0]!.shape[2]! - cut[1]!], 0);
  return [bias === undefined ? y : e.emit("add", [y, bias])];
};

const dense: Decomposition = (e, [x, w, bias]) => {
  const y = e.emit("matmul", [x!, w!], { transposeA: false, transposeB: false });
  return [bias === undefined ? y : e.emit("add", [y, bias])];
};

/** (x - mean) / sqrt(variance + epsilon) over axes. */
function normalised(e: Legaliser, x: string, axes: number[], epsilon: number): string {
  const c = calculator(e);
  const over = { axes, keepDims: true };
  const centred = c.sub(x, e.emit("reduce_mean", [x], over));
  const variance = e.emit("reduce_mean", [c.mul(centred, centred)], over);
  return c.mul(centred, c.rsqrt(c.add(variance, epsilon)));
}

function scaled(e: Legaliser, x: string, [gamma, beta]: readonly string[]): string {
  const product = gamma === undefined ? x : e.emit("mul", [x, gamma]);
  return beta === undefined ? product : e.emit("add", [product, beta]);
}

const layerNorm: Decomposition = (e, [x, ...scale], { axis, epsilon }, { inputs }) => {
  const axes = inputs[0]!.shape.map((_, i) => i).slice(axis);
  return [scaled(e, normalised(e, x!, axes, epsilon), scale)];
};

/** The channels of a group as an axis of their own. */
const groupNorm: Decomposition = (e, [x, ...scale], { groups, epsilon }, { inputs }) => {
  const { shape, batchAxis } = inputs[0]!;
  const channels = shape[shape.length - 1]!;
  const pixels = sizeOf(shape.slice(1, -1));
  const apart = reshapeTo(e, x!, [shape[0]!, pixels, groups, channels / groups], batchAxis);
  const y = normalised(e, apart, [1, 3], epsilon);
  return [scaled(e, reshapeTo(e, y, shape, batchAxis), scale)];
};

/** Along another axis than the last. */
const softmax: Decomposition = (e, [x], { axis }, { inputs }) => {
  const order = inputs[0]!.shape.map((_, i) => i);
  [order[axis], order[order.length - 1]] = [order[order.length - 1]!, order[axis]!];
  const y = e.emit("softmax", [transposed(e, x!, order)], { axis: order.length - 1 });
  return [transposed(e, y, order)];
};

/** The last of equal elements is the first of the reversed ones. */
const argReduce: Decomposition = (e, [x], { axis, keepDims, kind, last }, { inputs }) => {
  const { shape } = inputs[0]!;
  if (last) {
    const reversed = e.emit("slice", [x!], {
      begin: shape.map((d, i) => (i === axis ? d - 1 : 0)),
      size: shape.map(() => -1),
      steps: shape.map((_, i) => (i === axis ? -1 : 1)),
    });
    const found = e.emit("arg_reduce", [reversed], { axis, keepDims, kind, last: false });
    return [e.emit("sub", [e.constant([], Int32Array.of(shape[axis]! - 1)), found])];
  }
  if (!keepDims) throw new Unwritable();
  return [insertAxis(e, e.emit("arg_reduce", [x!], { axis, keepDims: false, kind, last }), axis)];
};

/** Another axis is moved to the end; the smallest are the largest of the negated. */
const topK: Decomposition = (e, [x], { axis, k, largest }, { inputs }) => {
  const { shape } = inputs[0]!;
  if (!largest) {
    const [values, indices] = e.all("top_k", [e.emit("neg", [x!])], { axis, k, largest: true }) as [string, string];
    return [e.emit("neg", [values]), indices];
  }
  if (axis === shape.length - 1) throw new Unwritable();
  const order = shape.map((_, i) => i);
  [order[axis], order[order.length - 1]] = [order[order.length - 1]!, order[axis]!];
  return e
    .all("top_k", [transposed(e, x!, order)], { axis: shape.length - 1, k, largest })
    .map((y) => transposed(e, y, order));
};

/** Repeated elements by their index, axis by axis. */
const pad: Decomposition = (e, [x], { before, after, mode }, { inputs }) => {
  if (mode === undefined || mode === "constant") throw new Unwritable();
  return [
    inputs[0]!.shape.reduce((y, extent, axis) => {
      const [first, count] = [before[axis] as number, before[axis] + extent + after[axis]];
      if (count === extent) return y;
      const picks = Int32Array.from({ length: count }, (_, i) =>
        padSource(mode as Exclude<PadMode, "constant">, extent, i - first),
      );
      return e.emit("gather", [y, e.constant([count], picks)], { axis });
    }, x!),
  ];
};

/** Weighted picks of rows, then of columns. */
const resize: Decomposition = (e, [x], attrs, { inputs }) => {
  const maps = resizeMaps(inputs[0]!.shape, attrs as ResizeAttrs);
  return [
    maps.reduce((image, map, k) => {
      const most = Math.max(...map.map((t) => t.length));
      const parts = Array.from({ length: most }, (_, n) => {
        const picks = Int32Array.from(map, (t) => t[n]?.from ?? 0);
        const weights = Float32Array.from(map, (t) => t[n]?.weight ?? 0);
        const part = e.emit("gather", [image, e.constant([map.length], picks)], { axis: k + 1 });
        if (weights.every((v) => v === 1)) return part;
        return e.emit("mul", [part, e.constant(k === 0 ? [map.length, 1, 1] : [map.length, 1], weights)]);
      });
      return parts.reduce((a, b) => e.emit("add", [a, b]));
    }, x!),
  ];
};

/** A product with ones (or a sum with zeros) keeps the batch open. */
const broadcastTo: Decomposition = (e, [x], _, { inputs, outputs }) => {
  const { shape, batchAxis } = outputs[0]!;
  const extents = shape.map((d, i) => (i === batchAxis ? 1 : d));
  const { dtype } = inputs[0]!;
  if (dtype === "f32") return [e.emit("mul", [x!, e.constant(extents, new Float32Array(sizeOf(extents)).fill(1))])];
  if (dtype !== "i32") throw new Unwritable();
  return [e.emit("mul", [x!, e.constant(extents, new Int32Array(sizeOf(extents)).fill(1))])];
};

/** Scales or zero points as they stand beside x. */
function perAxis(e: Legaliser, values: readonly number[], axis: number | null, rank: number): string {
  const shape = axis === null ? [] : [values.length, ...Array.from({ length: rank - axis - 1 }, () => 1)];
  return e.constant(shape, Float32Array.from(values));
}

/** The integer less its zero point, as a real. */
function stepsOf(e: Legaliser, x: string, a: QuantAttrs, rank: number): string {
  const c = calculator(e);
  const q = c.div(x, perAxis(e, a.scale, a.axis, rank));
  const whole = a.rounding === "even" ? c.round(q) : c.mul(c.sign(q), c.floor(c.add(c.abs(q), 0.5)));
  const [low, high] = INTEGER_RANGE[a.dtype];
  const zeros = a.scale.map((_, i) => a.zeroPoint[i] ?? a.zeroPoint[0]!);
  const bound = (end: number): string => perAxis(e, zeros.map((z) => end - z), a.axis, rank); // prettier-ignore
  return c.min(c.max(whole, bound(low)), bound(high));
}

const fakeQuantize: Decomposition = (e, [x], a: QuantAttrs, { inputs }) => {
  const rank = inputs[0]!.shape.length;
  return [e.emit("mul", [stepsOf(e, x!, a, rank), perAxis(e, a.scale, a.axis, rank)])];
};

const quantize: Decomposition = (e, [x], a: QuantAttrs, { inputs }) => {
  const rank = inputs[0]!.shape.length;
  const zeros = a.scale.map((_, i) => a.zeroPoint[i] ?? a.zeroPoint[0]!);
  const q = e.emit("add", [stepsOf(e, x!, a, rank), perAxis(e, zeros, a.axis, rank)]);
  return [e.emit("cast", [q], { to: a.dtype })];
};

const dequantize: Decomposition = (e, [q], a: ScaleAttrs, { inputs }) => {
  const rank = inputs[0]!.shape.length;
  const zeros = a.scale.map((_, i) => a.zeroPoint[i] ?? a.zeroPoint[0]!);
  const real = e.emit("cast", [q!], { to: "f32" });
  return [e.emit("mul", [e.emit("sub", [real, perAxis(e, zeros, a.axis, rank)]), perAxis(e, a.scale, a.axis, rank)])];
};

/** The remainder has the sign of the dividend. */
const modTrunc: Decomposition = (e, [a, b], _, { inputs }) => {
  const c = calculator(e);
  if (inputs[0]!.dtype !== "f32") return [c.sub(a!, c.mul(c.div(a!, b!), b!))];
  return [c.mul(c.sign(a!), c.floorMod(c.abs(a!), c.abs(b!)))];
};

/** As steps: LiteRT.js refuses the operators that TFLite has, because of their variable tensors. */
const recurrent =
  (op: string): Decomposition =>
  (e, inputs, attrs, { inputs: types, data }) => {
    const reason = whyNotUnrolled(types, data);
    if (reason !== null) throw new Unwritable(reason);
    return unrolled(e, op, inputs, attrs, data);
  };

/** What TFLite has for floats alone, of truth values and 32-bit integers. */
const viaFloats =
  (op: string): Decomposition =>
  (e, inputs, attrs, use) => {
    if (use.inputs.every((t) => t.dtype === "f32")) throw new Unwritable();
    const floats = inputs.map((x) => e.emit("cast", [x], { to: "f32" }));
    return [e.emit("cast", [e.emit(op, floats, attrs)], { to: use.outputs[0]!.dtype })];
  };

/** Operators of the IR that TFLite does not have, or not in this use, by others. */
export const decompositions: Readonly<Record<string, Decomposition>> = {
  arg_reduce: argReduce,
  avg_pool2d: avgPool,
  broadcast_to: broadcastTo,
  clip,
  conv2d: paddedConv("conv2d"),
  conv_transpose2d: convTranspose,
  dense,
  depthwise_conv2d: paddedConv("depthwise_conv2d"),
  dequantize,
  elu: formula((c, x, { alpha }) => elu(c, x, alpha)),
  fake_quantize: fakeQuantize,
  group_norm: groupNorm,
  gru: recurrent("gru"),
  hard_sigmoid: formula((c, x, { alpha, beta }) => c.min(c.max(c.add(c.mul(x, alpha), beta), 0), 1)),
  layer_norm: layerNorm,
  lstm: recurrent("lstm"),
  max_pool2d: maxPool,
  mod_trunc: modTrunc,
  pad,
  quantize,
  reciprocal: formula((c, x) => c.div(1, x)),
  resize,
  rnn: recurrent("rnn"),
  selu: formula((c, x, { alpha, gamma }) => c.mul(elu(c, x, alpha), gamma)),
  sign: viaFloats("sign"),
  silu: formula((c, x) => c.mul(x, c.sigmoid(x))),
  softmax,
  // max(x, 0) + log(1 + exp(-|x|)) does not overflow.
  softplus: formula((c, x) => c.add(c.relu(x), c.log(c.add(c.exp(c.neg(c.abs(x))), 1)))),
  softsign: formula((c, x) => c.div(x, c.add(c.abs(x), 1))),
  top_k: topK,
};
