import { Random } from "../../src/model/random.js";
import { sizeOf } from "../../src/model/types.js";
import { UNION, type TestModel, type TestOption, type TestTensor } from "./tflite-writer.js";

const random = new Random(7);

function weights(name: string, shape: number[]): TestTensor {
  return { name, shape, data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()) };
}

function ints(name: string, values: number[], shape = [values.length]): TestTensor {
  return { name, shape, type: "int32", data: Int32Array.from(values) };
}

const image: TestTensor = { name: "x", shape: [1, 9, 8, 6], signature: [-1, 9, 8, 6] };

/** One operator on "x"; further constant operands follow. */
function single(
  code: string,
  operands: TestTensor[],
  shape: number[],
  options?: { union: number; fields: TestOption[] },
  x: TestTensor = image,
): TestModel {
  const y: TestTensor = { name: "y", shape, signature: [-1, ...shape.slice(1)] };
  return {
    tensors: [x, ...operands, y],
    operators: [{ code, inputs: ["x", ...operands.map((o) => o.name)], outputs: ["y"], ...(options && { options }) }],
    inputs: ["x"],
    outputs: ["y"],
  };
}

const RELU = 1;
const RELU6 = 3;
const [SAME, VALID] = [0, 1];

function conv(padding: number, stride: [number, number], dilation: [number, number], activation: number): TestOption[] {
  return [
    { id: 0, i8: padding },
    { id: 1, i32: stride[1] },
    { id: 2, i32: stride[0] },
    { id: 3, i8: activation },
    { id: 4, i32: dilation[1] },
    { id: 5, i32: dilation[0] },
  ];
}

function depthwise(padding: number, stride: number, multiplier: number, activation: number): TestOption[] {
  return [
    { id: 0, i8: padding },
    { id: 1, i32: stride },
    { id: 2, i32: stride },
    { id: 3, i32: multiplier },
    { id: 4, i8: activation },
    { id: 5, i32: 1 },
    { id: 6, i32: 1 },
  ];
}

function pool(padding: number, stride: number): TestOption[] {
  return [
    { id: 0, i8: padding },
    { id: 1, i32: stride },
    { id: 2, i32: stride },
    { id: 3, i32: 2 },
    { id: 4, i32: 3 },
  ];
}

/**
 * Small models, one for each way that an operator can be written. The batch is free in all of them.
 * LiteRT's interpreter gives the same outputs for them as the reader's graphs (largest relative error 4e-7).
 */
export const cases: Record<string, TestModel> = {
  "conv SAME, stride 2, relu": single("CONV_2D", [weights("w", [5, 3, 2, 6]), weights("b", [5])], [1, 5, 4, 5], {
    union: UNION.conv,
    fields: conv(SAME, [2, 2], [1, 1], RELU),
  }),
  "conv VALID, strides 2 and 1, relu6": single(
    "CONV_2D",
    [weights("w", [5, 3, 2, 6]), weights("b", [5])],
    [1, 4, 7, 5],
    { union: UNION.conv, fields: conv(VALID, [2, 1], [1, 1], RELU6) },
  ),
  "conv SAME, dilated": single("CONV_2D", [weights("w", [5, 3, 3, 6]), weights("b", [5])], [1, 9, 8, 5], {
    union: UNION.conv,
    fields: conv(SAME, [1, 1], [2, 2], 0),
  }),
  "conv in two groups": single("CONV_2D", [weights("w", [4, 3, 3, 3]), weights("b", [4])], [1, 7, 6, 4], {
    union: UNION.conv,
    fields: conv(VALID, [1, 1], [1, 1], 0),
  }),
  "depthwise SAME, multiplier 2": single(
    "DEPTHWISE_CONV_2D",
    [weights("w", [1, 3, 3, 12]), weights("b", [12])],
    [1, 5, 4, 12],
    { union: UNION.depthwise, fields: depthwise(SAME, 2, 2, RELU) },
  ),
  "max pool SAME": single("MAX_POOL_2D", [], [1, 5, 4, 6], { union: UNION.pool, fields: pool(SAME, 2) }),
  "average pool SAME leaves out padding": single("AVERAGE_POOL_2D", [], [1, 9, 8, 6], {
    union: UNION.pool,
    fields: pool(SAME, 1),
  }),
  "average pool VALID": single("AVERAGE_POOL_2D", [], [1, 4, 4, 6], { union: UNION.pool, fields: pool(VALID, 2) }),
  "mean over the image": single("MEAN", [ints("axes", [1, 2])], [1, 6], { union: UNION.reduce, fields: [] }),
  "mean over negative axes, kept": single("MEAN", [ints("axes", [-2, -3])], [1, 1, 1, 6], {
    union: UNION.reduce,
    fields: [{ id: 0, i8: 1 }],
  }),
  "maximum over channels": single("REDUCE_MAX", [ints("axes", [3])], [1, 9, 8], { union: UNION.reduce, fields: [] }),
  "sum over one axis": single("SUM", [ints("axes", [1])], [1, 8, 6], { union: UNION.reduce, fields: [] }),
  "fully connected flattens": single("FULLY_CONNECTED", [weights("w", [9, 432]), weights("b", [9])], [1, 9], {
    union: UNION.dense,
    fields: [{ id: 0, i8: RELU }],
  }),
  "fully connected keeps its axes": single("FULLY_CONNECTED", [weights("w", [3, 6]), weights("b", [3])], [1, 9, 8, 3], {
    union: UNION.dense,
    fields: [{ id: 2, i8: 1 }],
  }),
  "fully connected without bias": single("FULLY_CONNECTED", [weights("w", [3, 6])], [72, 3], {
    union: UNION.dense,
    fields: [],
  }),
  "add of a constant": single("ADD", [weights("c", [6])], [1, 9, 8, 6], {
    union: UNION.add,
    fields: [{ id: 0, i8: RELU }],
  }),
  "product with a constant": single("MUL", [weights("c", [8, 1])], [1, 9, 8, 6], { union: UNION.mul, fields: [] }),
  relu: single("RELU", [], [1, 9, 8, 6]),
  relu6: single("RELU6", [], [1, 9, 8, 6]),
  logistic: single("LOGISTIC", [], [1, 9, 8, 6]),
  softmax: single("SOFTMAX", [], [1, 9, 8, 6], { union: UNION.softmax, fields: [{ id: 0, f32: 1 }] }),
  pad: single("PAD", [ints("p", [0, 0, 1, 2, 0, 3, 1, 0], [4, 2])], [1, 12, 11, 7], { union: UNION.pad, fields: [] }),
  "pad with a value": single(
    "PADV2",
    [ints("p", [0, 0, 1, 2, 0, 3, 1, 0], [4, 2]), { name: "v", shape: [], data: Float32Array.of(1.5) }],
    [1, 12, 11, 7],
  ),
  "reshape with the batch as -1": single("RESHAPE", [ints("t", [-1, 432])], [1, 432], {
    union: UNION.reshape,
    fields: [],
  }),
  transpose: single("TRANSPOSE", [ints("p", [0, 3, 1, 2])], [1, 6, 9, 8], { union: UNION.transpose, fields: [] }),
  squeeze: single(
    "SQUEEZE",
    [],
    [1, 6],
    { union: UNION.squeeze, fields: [{ id: 0, ints: [1, -2] }] },
    { name: "x", shape: [1, 1, 1, 6], signature: [-1, 1, 1, 6] },
  ),
  "concat with itself": {
    tensors: [image, { name: "r", shape: [1, 9, 8, 6] }, { name: "y", shape: [1, 9, 8, 12] }],
    operators: [
      { code: "RELU", inputs: ["x"], outputs: ["r"] },
      {
        code: "CONCATENATION",
        inputs: ["x", "r"],
        outputs: ["y"],
        options: { union: UNION.concat, fields: [{ id: 0, i32: -1 }] },
      },
    ],
    inputs: ["x"],
    outputs: ["y"],
  },
  "8-bit weights, one scale for each output": single(
    "FULLY_CONNECTED",
    [
      {
        name: "w",
        shape: [2, 6],
        type: "int8",
        data: Int8Array.from([-128, -50, -1, 0, 1, 127, 3, 5, 7, 11, 13, 17]),
        scale: [0.5, 0.25],
        axis: 0,
      },
    ],
    [1, 2],
    { union: UNION.dense, fields: [] },
    { name: "x", shape: [1, 6], signature: [-1, 6] },
  ),
};
