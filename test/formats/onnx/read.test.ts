import { describe, expect, test } from "vitest";
import { readOnnx } from "../../../src/formats/onnx/read.js";
import { writeOnnx, type TestConstant, type TestOnnx } from "../onnx-writer.js";
import { opCounts } from "../support.js";

const read = (model: TestOnnx, batch?: number) => readOnnx(writeOnnx(model), "model", "model.onnx", batch);
const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const filled = (...shape: number[]): TestConstant => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5),
});

describe("the batch of an ONNX input", () => {
  const relu = (shape: (number | string)[]): TestOnnx => ({
    inputs: { x: shape },
    nodes: [{ op: "Relu", inputs: ["x"], output: "y" }],
  });
  test.each([
    ["a symbolic first extent", ["n", 3], undefined, { shape: [1, 3], batchAxis: 0 }],
    ["a first extent of 1", [1, 3], undefined, { shape: [1, 3], batchAxis: 0 }],
    ["another first extent is fixed", [8, 3], undefined, { shape: [8, 3], batchAxis: null }],
    ["unless the caller says that it is the batch", [8, 3], 8, { shape: [1, 3], batchAxis: 0 }],
    ["no axes", [], undefined, { shape: [], batchAxis: null }],
  ] as const)("%s", (_name, shape, batch, type) => {
    expect(read(relu([...shape]), batch).tensors.get("x")!.type).toEqual({ dtype: "f32", ...type });
  });

  test("another symbolic extent is refused by name", () => {
    expect(() => read(relu(["n", "height", 3]))).toThrowError(refused("E_SHAPE", /"x" leaves axis 1 open \(height\)/));
  });

  test("where a reshape mixes samples the model is read for its fixed size", () => {
    const graph = read({
      inputs: { x: [1, 6, 4] },
      constants: {
        t: { shape: [2], data: BigInt64Array.of(2n, 12n) },
        u: { shape: [2], data: BigInt64Array.of(4n, 6n) },
      },
      nodes: [
        { op: "Transpose", inputs: ["x"], output: "a", attributes: { perm: [1, 0, 2] } },
        { op: "Reshape", inputs: ["a", "t"], output: "b" },
        { op: "Reshape", inputs: ["b", "u"], output: "y" },
      ],
    });
    expect(graph.tensors.get("x")!.type.batchAxis).toBeNull();
  });
});

describe("ONNX images", () => {
  const model: TestOnnx = {
    inputs: { x: ["n", 3, 8, 8] },
    constants: { w: filled(4, 3, 3, 3), s: filled(4), v: filled(4, 4, 3, 3), g: filled(5, 64) },
    nodes: [
      { op: "Conv", inputs: ["x", "w"], output: "a" },
      { op: "BatchNormalization", inputs: ["a", "s", "s", "s", "s"], output: "b" },
      { op: "Relu", inputs: ["b"], output: "c" },
      { op: "Conv", inputs: ["c", "v"], output: "d" },
      { op: "Flatten", inputs: ["d"], output: "e" },
      { op: "Gemm", inputs: ["e", "g"], output: "y", attributes: { transB: 1 } },
    ],
  };

  test("keep the interface of the file and have their channels last inside", () => {
    const graph = read(model);
    expect(graph.tensors.get("x")!.type.shape).toEqual([1, 3, 8, 8]);
    expect(graph.nodes[0]).toMatchObject({ op: "transpose", inputs: ["x"], attrs: { perm: [0, 2, 3, 1] } });
    expect(opCounts(graph)).toEqual({ transpose: 1, conv2d: 2, batch_norm: 1, relu: 1, reshape: 1, dense: 1 });
  });

  test("give epsilon as the decimal that its writer meant, not as the float nearest to it", () => {
    const attributes = { epsilon: { f: 1e-3 } };
    const nodes = model.nodes.map((n) => (n.op === "BatchNormalization" ? { ...n, attributes } : n));
    expect(read({ ...model, nodes }).nodes.find((n) => n.op === "batch_norm")!.attrs.epsilon).toBe(1e-3);
  });
});

describe("a refused ONNX model", () => {
  test("lists every operator that cannot be read, with its nodes, its reason and advice", () => {
    const model: TestOnnx = {
      inputs: { x: ["n", 3, 8, 8] },
      constants: { w: filled(3, 3, 3) },
      nodes: [
        { op: "Tanh", inputs: ["x"], output: "a", name: "first" },
        { op: "Tanh", inputs: ["a"], output: "b", name: "second" },
        { op: "Softmax", inputs: ["b"], output: "c", name: "fine" },
        { op: "Conv", inputs: ["c", "w"], output: "d", name: "sound" },
        { op: "Clip", inputs: ["d"], output: "e", name: "odd", attributes: { min: { f: 1 }, max: { f: 2 } } },
        {
          op: "MaxPool",
          inputs: ["e"],
          output: "f",
          name: "pool",
          attributes: { kernel_shape: [2, 2], dilations: [2, 2] },
        },
        { op: "Warp", inputs: ["f"], output: "y", name: "own", domain: "com.example" },
      ],
    };
    expect(() => read({ ...model, opset: 7 })).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message:
          "model.onnx uses 5 operators that cannot be read: Tanh (first, second); Conv with a 1-D window (sound); " +
          "Clip with the range 1 to 2 (0 to 6 and 0 to infinity are read) (odd); MaxPool with dilations (pool); com.example.Warp (own)",
        hint: expect.stringContaining("tanh(x) = 2 * sigmoid(2x) - 1"),
      }),
    );
  });

  test.each<[string, TestOnnx, ReturnType<typeof refused>]>([
    [
      "weights that are computed",
      { inputs: { x: ["n", 3, 8, 8], w: [4, 3, 3, 3] }, nodes: [{ op: "Conv", inputs: ["x", "w"], output: "y" }] },
      refused("E_UNSUPPORTED", /Conv with weights computed at run time/),
    ],
    [
      "quantised operators",
      { inputs: { x: ["n", 3] }, nodes: [{ op: "QuantizeLinear", inputs: ["x"], output: "y", name: "q" }] },
      refused("E_QUANTISED", /QuantizeLinear "q" on tensor "x"/),
    ],
    [
      "an old operator set",
      { opset: 6, inputs: { x: ["n", 3] }, nodes: [{ op: "Relu", inputs: ["x"], output: "y" }] },
      refused("E_FORMAT", /operator set 6; 7 and newer/),
    ],
    [
      "values used before they are computed",
      { inputs: { x: ["n", 3] }, nodes: [{ op: "Relu", inputs: ["ghost"], output: "y" }] },
      refused("E_FORMAT", /"ghost" is used before it is computed/),
    ],
    [
      "channels that do not fit",
      {
        inputs: { x: ["n", 5, 8, 8] },
        constants: { w: filled(4, 3, 3, 3) },
        nodes: [{ op: "Conv", inputs: ["x", "w"], output: "y", name: "c" }],
      },
      refused("E_FORMAT", /Conv "c" has 1 groups for 5 channels and weights \[4,3,3,3\]/),
    ],
  ])("says why: %s", (_name, model, error) => {
    expect(() => read(model)).toThrowError(error);
  });

  test("a shape may not become data, since it would not follow the batch", () => {
    const model: TestOnnx = {
      inputs: { x: ["n", 3] },
      nodes: [
        { op: "Shape", inputs: ["x"], output: "s" },
        { op: "Cast", inputs: ["s"], output: "f", attributes: { to: 1 } },
        { op: "Add", inputs: ["x", "f"], output: "y" },
      ],
    };
    expect(() => read(model)).toThrowError(refused("E_UNSUPPORTED", /computes with the shape of a tensor/));
  });
});
