import { Random } from "../../src/model/random.js";
import { sizeOf } from "../../src/model/types.js";
import type { TestAttribute, TestConstant, TestNode, TestOnnx } from "./onnx-writer.js";

const random = new Random(11);

const drawn = (shape: number[], draw: () => number): TestConstant => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, draw),
});
const f = (...shape: number[]): TestConstant => drawn(shape, () => random.normal());
const positive = (...shape: number[]): TestConstant => drawn(shape, () => random.next() + 0.1);
const ints = (...values: number[]): TestConstant => ({
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const scalar = (v: number): TestConstant => ({ shape: [], data: Float32Array.of(v) });

const node = (
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, TestAttribute> = {},
): TestNode => ({
  op,
  inputs,
  output,
  attributes,
});

const image = { x: ["n", 6, 9, 8] };

/** One operator on "x", whose further operands are the constants in order. */
function alone(
  op: string,
  constants: Record<string, TestConstant>,
  attributes: Record<string, TestAttribute> = {},
  opset = 13,
): TestOnnx {
  return { opset, inputs: image, constants, nodes: [node(op, ["x", ...Object.keys(constants)], "y", attributes)] };
}

/** The same behind a convolution, so that the operand has its channels last. */
function afterConv(
  op: string,
  constants: Record<string, TestConstant>,
  attributes: Record<string, TestAttribute> = {},
  opset = 13,
): TestOnnx {
  return {
    opset,
    inputs: image,
    constants: { k: f(6, 6, 1, 1), ...constants },
    nodes: [node("Conv", ["x", "k"], "conv"), node(op, ["conv", ...Object.keys(constants)], "y", attributes)],
  };
}

const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
const bn = { s: f(6), b: f(6), m: f(6), v: positive(6) };

/** Small models, one for each way that an operator can be written. */
export const cases: Record<string, TestOnnx> = {
  "Conv with pads": alone("Conv", { w: f(5, 6, 3, 2), b: f(5) }, { strides: [2, 1], pads: [1, 0, 2, 1] }),
  "Conv dilated": alone("Conv", { w: f(5, 6, 3, 2) }, { dilations: [2, 2] }),
  "Conv SAME_UPPER": alone("Conv", { w: f(5, 6, 3, 2) }, { strides: [2, 2], auto_pad: "SAME_UPPER" }),
  "Conv SAME_LOWER": alone("Conv", { w: f(5, 6, 3, 2) }, { strides: [2, 2], auto_pad: "SAME_LOWER" }),
  "Conv VALID": alone("Conv", { w: f(5, 6, 3, 2) }, { auto_pad: "VALID" }),
  "Conv in groups": alone("Conv", { w: f(4, 3, 3, 3), b: f(4) }, { group: 2 }),
  "Conv depthwise": alone("Conv", { w: f(12, 1, 3, 3), b: f(12) }, { group: 6 }),
  BatchNormalization: alone("BatchNormalization", bn, { epsilon: { f: 1e-3 } }),
  "BatchNormalization of rank 3": {
    inputs: { x: ["n", 6, 7] },
    constants: bn,
    nodes: [node("BatchNormalization", ["x", "s", "b", "m", "v"], "y")],
  },
  "BatchNormalization of rank 2": {
    inputs: { x: ["n", 6] },
    constants: bn,
    nodes: [node("BatchNormalization", ["x", "s", "b", "m", "v"], "y")],
  },
  MaxPool: alone("MaxPool", {}, pool),
  "MaxPool with ceil_mode": alone("MaxPool", {}, { ...pool, ceil_mode: 1 }),
  AveragePool: alone("AveragePool", {}, pool),
  "AveragePool counts padding": alone("AveragePool", {}, { ...pool, count_include_pad: 1 }),
  "AveragePool with ceil_mode": alone("AveragePool", {}, { kernel_shape: [3, 2], strides: [2, 3], ceil_mode: 1 }, 19),
  GlobalAveragePool: alone("GlobalAveragePool", {}),
  GlobalMaxPool: alone("GlobalMaxPool", {}),
  "ReduceMean over the image": afterConv("ReduceMean", {}, { axes: [2, 3], keepdims: 0 }),
  "ReduceMean over channels": afterConv("ReduceMean", {}, { axes: [1], keepdims: 0 }),
  "ReduceMean over columns": afterConv("ReduceMean", {}, { axes: [-1], keepdims: 0 }),
  "ReduceMax, axes as operand": afterConv("ReduceMax", { a: ints(2, 3) }, { keepdims: 1 }, 18),
  "ReduceSum, axes as operand": afterConv("ReduceSum", { a: ints(1) }, { keepdims: 1 }),
  "Add of a channel vector": afterConv("Add", { c: f(6, 1, 1) }),
  "Add of a row": afterConv("Add", { c: f(8) }),
  "Add of a column": afterConv("Add", { c: f(9, 1) }),
  "Mul by one number": afterConv("Mul", { c: scalar(0.3) }),
  "Mul by a full constant": afterConv("Mul", { c: f(1, 6, 9, 8) }),
  "Sub of a channel vector": afterConv("Sub", { c: f(6, 1, 1) }),
  "Div by a channel vector": afterConv("Div", { c: positive(6, 1, 1) }),
  "Sub from a constant": {
    inputs: image,
    constants: { k: f(6, 6, 1, 1), c: f(6, 1, 1) },
    nodes: [node("Conv", ["x", "k"], "a"), node("Sub", ["c", "a"], "y")],
  },
  "squeeze and excite": {
    inputs: image,
    constants: { k: f(6, 6, 3, 3), w: f(6, 6, 1, 1) },
    nodes: [
      node("Conv", ["x", "k"], "a"),
      node("GlobalAveragePool", ["a"], "g"),
      node("Conv", ["g", "w"], "h"),
      node("Sigmoid", ["h"], "s"),
      node("Mul", ["a", "s"], "y"),
    ],
  },
  "Clip by attributes": alone("Clip", {}, { min: { f: 0 }, max: { f: 6 } }, 7),
  "Clip from below": alone("Clip", { lo: scalar(0) }),
  "Pad behind a convolution": afterConv("Pad", { p: ints(0, 1, 2, 0, 0, 3, 0, 1) }),
  "Pad with a value": alone("Pad", { p: ints(0, 1, 2, 0, 0, 3, 0, 1), v: scalar(1.5) }),
  "Pad of two axes": {
    opset: 18,
    inputs: image,
    constants: { p: ints(1, 2, 3, 4), a: ints(-1, 2) },
    nodes: [node("Pad", ["x", "p", "", "a"], "y")],
  },
  "Pad by attributes": alone("Pad", {}, { pads: [0, 0, 1, 1, 0, 0, 2, 2], value: { f: 0.5 } }, 8),
  "Softmax over channels": afterConv("Softmax", {}, { axis: 1 }),
  "Softmax of old, over all but the batch": afterConv("Softmax", {}, { axis: 1 }, 11),
  "Softmax of old, over the last axis": afterConv("Softmax", {}, { axis: 3 }, 11),
  "Concat of channels": {
    inputs: image,
    constants: { k: f(4, 6, 1, 1) },
    nodes: [node("Conv", ["x", "k"], "a"), node("Concat", ["a", "x"], "y", { axis: 1 })],
  },
  "Flatten and Gemm": {
    inputs: image,
    constants: { k: f(4, 6, 3, 3), g: f(5, 168), c: f(5) },
    nodes: [
      node("Conv", ["x", "k"], "a"),
      node("Flatten", ["a"], "b"),
      node("Gemm", ["b", "g", "c"], "y", { transB: 1, alpha: { f: 0.5 }, beta: { f: 2 } }),
    ],
  },
  "Reshape with 0 and -1": afterConv("Reshape", { t: ints(0, -1) }),
  "Reshape, the batch as -1": afterConv("Reshape", { t: ints(-1, 9, 8, 6) }),
  "Reshape by a computed shape": {
    inputs: image,
    constants: { i: { shape: [], data: BigInt64Array.of(0n) }, ax: ints(0), m: ints(-1) },
    nodes: [
      node("Shape", ["x"], "s"),
      node("Gather", ["s", "i"], "n", { axis: 0 }),
      node("Unsqueeze", ["n", "ax"], "u"),
      node("Concat", ["u", "m"], "t", { axis: 0 }),
      node("Reshape", ["x", "t"], "y"),
    ],
  },
  "Squeeze and Unsqueeze": {
    inputs: image,
    constants: { a: ints(2, 3), b: ints(1) },
    nodes: [
      node("GlobalAveragePool", ["x"], "g"),
      node("Squeeze", ["g", "a"], "s"),
      node("Unsqueeze", ["s", "b"], "y"),
    ],
  },
  "Transpose between convolutions": {
    inputs: image,
    constants: { k: f(6, 6, 1, 1), l: f(3, 8, 1, 1) },
    nodes: [
      node("Conv", ["x", "k"], "a"),
      node("Transpose", ["a"], "b", { perm: [0, 3, 1, 2] }),
      node("Relu", ["b"], "c"),
      node("Conv", ["c", "l"], "y"),
    ],
  },
  "MatMul and Add of rank 3": {
    inputs: { x: ["n", 5, 6] },
    constants: { w: f(6, 4), b: f(4) },
    nodes: [node("MatMul", ["x", "w"], "a"), node("Add", ["b", "a"], "y")],
  },
  "MatMul by a transposed constant": {
    inputs: { x: ["n", 6] },
    constants: { w: f(4, 6) },
    nodes: [node("Transpose", ["w"], "t", { perm: [1, 0] }), node("MatMul", ["x", "t"], "y")],
  },
  "Slice of channels and columns": afterConv("Slice", { s: ints(1, -3), e: ints(3, 2 ** 40), a: ints(1, -1) }),
  "Constant, Identity, Dropout and Cast": {
    inputs: image,
    nodes: [
      node("Constant", [], "c", { value: f(6, 1, 1) }),
      node("Identity", ["c"], "d"),
      node("Mul", ["x", "d"], "e"),
      node("Dropout", ["e"], "g"),
      node("Cast", ["g"], "y", { to: 1 }),
    ],
  },
  "Sum of three": {
    inputs: image,
    constants: { k: f(6, 6, 1, 1) },
    nodes: [node("Conv", ["x", "k"], "a"), node("Relu", ["a"], "b"), node("Sum", ["a", "b", "a"], "y")],
  },
  "one kernel twice": {
    inputs: image,
    constants: { k: f(6, 6, 3, 3) },
    nodes: [
      node("Conv", ["x", "k"], "a", { pads: [1, 1, 1, 1] }),
      node("Conv", ["a", "k"], "b", { pads: [1, 1, 1, 1] }),
      node("Add", ["a", "b"], "y"),
    ],
  },
  "a value that is several outputs": {
    inputs: image,
    outputs: ["b", "a", "c"],
    constants: { k: f(4, 6, 1, 1) },
    nodes: [node("Conv", ["x", "k"], "a"), node("Relu", ["a"], "b"), node("Identity", ["a"], "c")],
  },
};
