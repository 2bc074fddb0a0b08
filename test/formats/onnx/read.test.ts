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
    expect(() => read(relu(["n", "height", 3]))).toThrowError(
      refused("E_SHAPE", /"x" \[n, height, 3\] leaves height open/),
    );
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
      nodes: [
        { op: "NonMaxSuppression", inputs: ["x", "x"], output: "a", name: "first" },
        { op: "NonMaxSuppression", inputs: ["a", "x"], output: "b", name: "second" },
        { op: "Softmax", inputs: ["b"], output: "c", name: "fine" },
        { op: "Resize", inputs: ["c", "", ""], output: "d", name: "r", attributes: { mode: "area" } },
        { op: "BatchNormalization", inputs: ["d"], output: "e", name: "bn", attributes: { training_mode: 1 } },
        { op: "Loop", inputs: ["e"], output: "f", name: "repeat" },
        { op: "Warp", inputs: ["f"], output: "y", name: "own", domain: "com.example" },
      ],
    };
    expect(() => read(model)).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message:
          "model.onnx uses 5 operators that cannot be read: NonMaxSuppression (first, second); Resize with mode area (r); " +
          "BatchNormalization with training_mode (bn); Loop (repeat); com.example.Warp (own)",
        hint: expect.stringContaining("end the model at the scores"),
      }),
    );
  });

  test.each<[string, TestOnnx, ReturnType<typeof refused>]>([
    [
      "a target computed at run time",
      { inputs: { x: ["n", 3], t: [2] }, nodes: [{ op: "Reshape", inputs: ["x", "t"], output: "y" }] },
      refused("E_UNSUPPORTED", /Reshape with a target computed at run time/),
    ],
    [
      "two values of one name",
      {
        inputs: { x: ["n", 3] },
        nodes: [
          { op: "Relu", inputs: ["x"], output: "y" },
          { op: "Tanh", inputs: ["x"], output: "y" },
        ],
      },
      refused("E_FORMAT", /the output of Tanh "y" exists already/),
    ],
    [
      "an old operator set",
      { opset: 6, inputs: { x: ["n", 3] }, nodes: [{ op: "Add", inputs: ["x", "x"], output: "y" }] },
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

  test("what computes with the number of samples is read for a fixed batch", () => {
    const graph = read({
      inputs: { x: ["n", 2] },
      nodes: [
        { op: "Shape", inputs: ["x"], output: "s" },
        { op: "Cast", inputs: ["s"], output: "f", attributes: { to: 1 } },
        { op: "Add", inputs: ["x", "f"], output: "y" },
      ],
    });
    expect(graph.tensors.get("x")!.type).toEqual({ dtype: "f32", shape: [1, 2], batchAxis: null });
    expect(graph.tensors.get("f")!.data).toEqual(Float32Array.of(1, 2));
  });
});
