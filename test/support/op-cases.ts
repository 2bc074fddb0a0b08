/** One small case or more for every operator, as data: what each runner (reference, host, packages) can be fed with. */
import { Random } from "../../src/model/random.js";
import { shapeAt, sizeOf, type Attrs, type Dtype, type TensorType } from "../../src/model/types.js";
import { elementwiseCases } from "./op-cases/elementwise.js";
import { movementCases } from "./op-cases/movement.js";
import { networkCases } from "./op-cases/network.js";

/** How the values of an operand are drawn. */
export type Draw = "normal" | "small" | "positive" | "spread" | "probabilities" | "relu" | "relu6" | "sigmoid";

export interface OpCase {
  readonly title: string;
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly TensorType[];
  /** For each input; default normal. */
  readonly draw?: readonly Draw[];
  /** Input positions without a gradient rule (targets). */
  readonly noGradient?: readonly number[];
  /** True when samples of a batch influence each other (statistics, losses). */
  readonly mixesSamples?: boolean;
}

/** Per sample: a batch of `shape` with the batch on axis 0. */
export const x = (...shape: number[]): TensorType => ({ dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
/** A parameter: no batch axis. */
export const w = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: null });

const conv = (strides: number[], dilations: number[], pads: number[]): Attrs => ({ strides, dilations, pads });
const same = conv([1, 1], [1, 1], [1, 1, 1, 1]);
const uneven = conv([2, 1], [1, 2], [0, 2, 1, 1]);
const pool = { kernel: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1] };

export const opCases: readonly OpCase[] = [
  { title: "3x3 SAME", op: "conv2d", attrs: { ...same, groups: 1 }, inputs: [x(4, 5, 3), w(3, 3, 3, 4), w(4)] },
  {
    title: "strided, dilated, uneven pads, no bias",
    op: "conv2d",
    attrs: { ...uneven, groups: 1 },
    inputs: [x(6, 7, 2), w(3, 2, 2, 3)],
  },
  { title: "two groups", op: "conv2d", attrs: { ...same, groups: 2 }, inputs: [x(4, 4, 4), w(3, 3, 2, 6), w(6)] },
  {
    title: "1x1, stride 2",
    op: "conv2d",
    attrs: { ...conv([2, 2], [1, 1], [0, 0, 0, 0]), groups: 1 },
    inputs: [x(5, 5, 3), w(1, 1, 3, 2)],
  },
  {
    title: "3x3 SAME",
    op: "conv2d_grad_input",
    attrs: { ...same, groups: 1, extent: [4, 5] },
    inputs: [x(4, 5, 4), w(3, 3, 3, 4)],
  },
  {
    title: "two groups, strided",
    op: "conv2d_grad_input",
    attrs: { ...conv([2, 2], [1, 1], [1, 1, 1, 1]), groups: 2, extent: [4, 5] },
    inputs: [x(2, 3, 6), w(3, 3, 2, 6)],
  },
  {
    title: "3x3 SAME",
    op: "conv2d_grad_weight",
    attrs: { ...same, groups: 1, kernel: [3, 3] },
    inputs: [x(4, 5, 3), x(4, 5, 4)],
  },
  {
    title: "two groups, strided",
    op: "conv2d_grad_weight",
    attrs: { ...conv([2, 2], [1, 1], [1, 1, 1, 1]), groups: 2, kernel: [3, 3] },
    inputs: [x(4, 5, 4), x(2, 3, 6)],
  },
  { title: "multiplier 1", op: "depthwise_conv2d", attrs: same, inputs: [x(4, 5, 3), w(3, 3, 3, 1), w(3)] },
  {
    title: "multiplier 2, strided, dilated",
    op: "depthwise_conv2d",
    attrs: uneven,
    inputs: [x(6, 7, 3), w(3, 2, 3, 2)],
  },
  {
    title: "multiplier 2",
    op: "depthwise_conv2d_grad_input",
    attrs: { ...same, extent: [4, 5] },
    inputs: [x(4, 5, 6), w(3, 3, 3, 2)],
  },
  {
    title: "multiplier 2",
    op: "depthwise_conv2d_grad_weight",
    attrs: { ...same, kernel: [3, 3] },
    inputs: [x(4, 5, 3), x(4, 5, 6)],
  },
  { title: "matrix", op: "dense", attrs: {}, inputs: [x(5), w(5, 3), w(3)] },
  { title: "last axis of rank 3, no bias", op: "dense", attrs: {}, inputs: [x(4, 5), w(5, 3)] },
  {
    title: "batch on the second axis",
    op: "dense",
    attrs: {},
    inputs: [{ dtype: "f32", shape: [4, 1, 5], batchAxis: 1 }, w(5, 3), w(3)],
  },
  { title: "plain", op: "matmul", attrs: { transposeA: false, transposeB: false }, inputs: [x(4), w(4, 3)] },
  { title: "b transposed", op: "matmul", attrs: { transposeA: false, transposeB: true }, inputs: [x(4), w(3, 4)] },
  { title: "a transposed", op: "matmul", attrs: { transposeA: true, transposeB: false }, inputs: [w(4, 2), w(4, 3)] },
  { title: "both transposed", op: "matmul", attrs: { transposeA: true, transposeB: true }, inputs: [w(4, 2), w(3, 4)] },
  { title: "sum over the batch", op: "matmul", attrs: { transposeA: true, transposeB: false }, inputs: [x(2), x(3)] },
  {
    title: "images",
    op: "batch_norm",
    attrs: { epsilon: 1e-3 },
    inputs: [x(3, 2, 4), w(4), w(4), w(4), w(4)],
    draw: ["normal", "normal", "normal", "normal", "positive"],
  },
  {
    title: "vectors",
    op: "batch_norm",
    attrs: { epsilon: 0 },
    inputs: [x(4), w(4), w(4), w(4), w(4)],
    draw: ["normal", "normal", "normal", "normal", "positive"],
  },
  {
    title: "images",
    op: "batch_norm_train",
    attrs: { epsilon: 1e-2 },
    inputs: [x(3, 2, 4), w(4), w(4)],
    mixesSamples: true,
  },
  {
    title: "images",
    op: "batch_norm_grad",
    attrs: {},
    inputs: [x(3, 2, 4), x(3, 2, 4), w(4), w(4), w(4)],
    draw: ["normal", "normal", "normal", "normal", "positive"],
    mixesSamples: true,
  },
  { title: "same shape", op: "add", attrs: {}, inputs: [x(3, 4), x(3, 4)] },
  { title: "vector over channels", op: "add", attrs: {}, inputs: [x(2, 3, 4), w(4)] },
  { title: "outer", op: "add", attrs: {}, inputs: [x(3, 1), w(1, 1, 4)] },
  { title: "repeated over the batch", op: "add", attrs: {}, inputs: [w(1, 3), x(3)] },
  { title: "same shape", op: "mul", attrs: {}, inputs: [x(3, 4), x(3, 4)] },
  { title: "gate", op: "mul", attrs: {}, inputs: [x(2, 3, 4), x(1, 1, 4)] },
  { title: "scalar", op: "mul", attrs: {}, inputs: [x(3), w()] },
  { title: "any", op: "relu", attrs: {}, inputs: [x(3, 4)], draw: ["spread"] },
  { title: "any", op: "relu6", attrs: {}, inputs: [x(7, 8)], draw: ["spread"] },
  { title: "any", op: "sigmoid", attrs: {}, inputs: [x(3, 4)] },
  { title: "any", op: "relu_grad", attrs: {}, inputs: [x(3, 4), x(3, 4)], draw: ["normal", "relu"] },
  { title: "any", op: "relu6_grad", attrs: {}, inputs: [x(3, 4), x(3, 4)], draw: ["normal", "relu6"] },
  { title: "any", op: "sigmoid_grad", attrs: {}, inputs: [x(3, 4), x(3, 4)], draw: ["normal", "sigmoid"] },
  {
    title: "zeros around",
    op: "pad",
    attrs: { before: [0, 1, 0, 2], after: [0, 0, 3, 0], value: 0 },
    inputs: [x(2, 3, 2)],
  },
  { title: "another value", op: "pad", attrs: { before: [0, 2], after: [0, 1], value: -1.5 }, inputs: [x(3)] },
  { title: "box", op: "slice", attrs: { begin: [0, 1, 2], size: [-1, 2, -1] }, inputs: [x(4, 5)] },
  { title: "overlapping, padded", op: "max_pool2d", attrs: pool, inputs: [x(4, 5, 2)], draw: ["spread"] },
  {
    title: "2x2",
    op: "max_pool2d",
    attrs: { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] },
    inputs: [x(5, 4, 2)],
    draw: ["spread"],
  },
  { title: "padding not counted", op: "avg_pool2d", attrs: { ...pool, countIncludePad: false }, inputs: [x(4, 5, 2)] },
  { title: "padding counted", op: "avg_pool2d", attrs: { ...pool, countIncludePad: true }, inputs: [x(4, 5, 2)] },
  {
    title: "padding not counted",
    op: "avg_pool2d_grad",
    attrs: { ...pool, countIncludePad: false, extent: [4, 5] },
    inputs: [x(2, 5, 2)],
  },
  { title: "global", op: "reduce_mean", attrs: { axes: [1, 2], keepDims: false }, inputs: [x(3, 4, 2)] },
  { title: "kept axes", op: "reduce_mean", attrs: { axes: [1, 2], keepDims: true }, inputs: [x(3, 4, 2)] },
  {
    title: "over the batch",
    op: "reduce_mean",
    attrs: { axes: [0, 2], keepDims: false },
    inputs: [x(3, 4)],
    mixesSamples: true,
  },
  { title: "channels", op: "reduce_sum", attrs: { axes: [3], keepDims: false }, inputs: [x(3, 2, 4)] },
  { title: "over the batch", op: "reduce_sum", attrs: { axes: [0, 1], keepDims: true }, inputs: [x(3, 4)] },
  {
    title: "global",
    op: "reduce_max",
    attrs: { axes: [1, 2], keepDims: false },
    inputs: [x(3, 4, 2)],
    draw: ["spread"],
  },
  {
    title: "mean",
    op: "reduce_mean_grad",
    attrs: { axes: [1, 2], keepDims: false, shape: [1, 3, 4, 2], scale: "mean" },
    inputs: [x(2)],
  },
  {
    title: "sum, kept axes",
    op: "reduce_mean_grad",
    attrs: { axes: [2], keepDims: true, shape: [1, 3, 4], scale: "sum" },
    inputs: [x(3, 1)],
  },
  { title: "flatten", op: "reshape", attrs: { shape: [-1, 12] }, inputs: [x(2, 3, 2)] },
  {
    title: "batch inside",
    op: "reshape",
    attrs: { shape: [2, 3, -1, 2, 2] },
    inputs: [{ dtype: "f32", shape: [6, 1, 4], batchAxis: 1 }],
  },
  { title: "NHWC to NCHW", op: "transpose", attrs: { perm: [0, 3, 1, 2] }, inputs: [x(2, 3, 4)] },
  { title: "batch moved", op: "transpose", attrs: { perm: [2, 0, 1] }, inputs: [x(3, 4)] },
  { title: "last axis", op: "softmax", attrs: { axis: 1 }, inputs: [x(5)] },
  { title: "middle axis", op: "softmax", attrs: { axis: 1 }, inputs: [x(4, 3)] },
  {
    title: "middle axis",
    op: "softmax_grad",
    attrs: { axis: 1 },
    inputs: [x(4, 3), x(4, 3)],
    draw: ["normal", "sigmoid"],
  },
  { title: "channels", op: "concat", attrs: { axis: 3 }, inputs: [x(2, 2, 3), x(2, 2, 1), x(2, 2, 2)] },
  { title: "rows", op: "concat", attrs: { axis: 1 }, inputs: [x(2, 3), x(1, 3)] },
  {
    title: "plain",
    op: "softmax_cross_entropy",
    attrs: { temperature: 1 },
    inputs: [x(5), x(5)],
    draw: ["normal", "probabilities"],
    noGradient: [1],
    mixesSamples: true,
  },
  {
    title: "softened",
    op: "softmax_cross_entropy",
    attrs: { temperature: 3 },
    inputs: [x(5), x(5)],
    draw: ["normal", "probabilities"],
    noGradient: [1],
    mixesSamples: true,
  },
  {
    title: "softened",
    op: "softmax_cross_entropy_grad",
    attrs: { temperature: 3 },
    inputs: [w(), x(5), x(5)],
    draw: ["normal", "normal", "probabilities"],
    mixesSamples: true,
  },
  { title: "images", op: "mean_squared_error", attrs: {}, inputs: [x(2, 3), x(2, 3)], mixesSamples: true },
  { title: "images", op: "mean_squared_error_grad", attrs: {}, inputs: [w(), x(2, 3), x(2, 3)], mixesSamples: true },
  ...networkCases,
  ...movementCases,
  ...elementwiseCases,
];

/** Operators whose operands depend on each other, so that they have no case of free operands: tested by their forward operator. */
export const DEPENDENT_OPS: readonly string[] = ["max_pool2d_grad", "reduce_max_grad"];

/**
 * Values of one operand at a batch size, from a seed. Values are f32 numbers, so that f32 runners get the same; integers
 * are small whatever `how` says, with many equal ones.
 */
export function drawValues(type: TensorType, how: Draw, batch: number, seed: number): Float64Array {
  const random = new Random(seed);
  const shape = shapeAt(type, batch);
  const n = sizeOf(shape);
  const values = new Float64Array(n);
  if (type.dtype !== "f32") return values.map(() => wholeNumber(type.dtype, Math.round(3 * random.normal())));
  // Distinct values far from each other, from 0 and from 6: no kink lies within a finite difference.
  const order = random.shuffle(Array.from({ length: n }, (_, i) => i));
  const last = shape[shape.length - 1] ?? 1;
  for (let i = 0; i < n; i++) {
    const v = random.normal();
    switch (how) {
      case "normal":
        values[i] = v;
        break;
      case "small":
        values[i] = 0.3 * v;
        break;
      case "positive":
        values[i] = 0.5 + random.next();
        break;
      case "spread":
        values[i] = (order[i]! - n / 2 + 0.3) * 0.37;
        break;
      case "probabilities":
        values[i] = random.next() + 0.05;
        break;
      case "relu":
        values[i] = Math.max(v, 0);
        break;
      case "relu6":
        values[i] = Math.min(Math.max(4 * v, 0), 6);
        break;
      case "sigmoid":
        values[i] = random.next();
    }
  }
  if (how === "probabilities") {
    for (let r = 0; r < n; r += last) {
      let sum = 0;
      for (let k = 0; k < last; k++) sum += values[r + k]!;
      for (let k = 0; k < last; k++) values[r + k]! /= sum;
    }
  }
  return values.map(Math.fround);
}

function wholeNumber(dtype: Dtype, v: number): number {
  if (dtype === "bool") return v & 1;
  return dtype === "u8" ? Math.abs(v) : v + 0;
}
