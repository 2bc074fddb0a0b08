import { describe, expect, test } from "vitest";
import { readTflite } from "../../../src/formats/tflite/read.js";
import { cases } from "../tflite-cases.js";
import { UNION, writeTflite, type TestModel } from "../tflite-writer.js";

const read = (model: TestModel, batch?: number) => readTflite(writeTflite(model), "model", "model.tflite", batch);

function relu(shape: number[], signature?: number[]): TestModel {
  return {
    tensors: [
      { name: "x", shape, ...(signature && { signature }) },
      { name: "y", shape },
    ],
    operators: [{ code: "RELU", inputs: ["x"], outputs: ["y"] }],
    inputs: ["x"],
    outputs: ["y"],
  };
}

describe("the batch of a TFLite input", () => {
  test.each([
    ["a free first extent", [1, 3], [-1, 3], undefined, { shape: [1, 3], batchAxis: 0 }],
    ["a free first extent that the file gives as 8", [8, 3], [-1, 3], undefined, { shape: [1, 3], batchAxis: 0 }],
    ["a first extent of 1", [1, 3], undefined, undefined, { shape: [1, 3], batchAxis: 0 }],
    ["another first extent is fixed", [8, 3], undefined, undefined, { shape: [8, 3], batchAxis: null }],
    ["unless the caller says that it is the batch", [8, 3], undefined, 8, { shape: [1, 3], batchAxis: 0 }],
  ])("%s", (_name, shape, signature, batch, type) => {
    expect(read(relu(shape, signature), batch).tensors.get("x")!.type).toEqual({ dtype: "f32", ...type });
  });

  test("another free extent is refused by name", () => {
    expect(() => read(relu([1, 8, 3], [-1, -1, 3]))).toThrowError(
      expect.objectContaining({ code: "E_SHAPE", message: expect.stringContaining('axis 1 of input "x"') }),
    );
  });
});

describe("a TFLite graph", () => {
  test("has fused activations as nodes, named after the file's tensor", () => {
    const graph = read(cases["conv SAME, stride 2, relu"]!);
    expect(graph.nodes.map((n) => [n.name, n.op, n.outputs[0]])).toEqual([
      ["y/conv2d", "conv2d", "y/conv2d"],
      ["y", "relu", "y"],
    ]);
    expect(graph.inputs).toEqual([{ name: "x", tensor: "x" }]);
    expect(graph.outputs).toEqual([{ name: "y", tensor: "y" }]);
  });

  test("has SAME padding as numbers, the odd one at the end", () => {
    // 9 rows, kernel 3, stride 2: (5 - 1) * 2 + 3 - 9 = 2; 8 columns, kernel 2, stride 2: none.
    expect(read(cases["conv SAME, stride 2, relu"]!).nodes[0]!.attrs.pads).toEqual([1, 0, 1, 0]);
    // 9 rows, kernel 3, stride 1: 2; 8 columns, kernel 2, stride 1: 1, after.
    expect(read(cases["average pool SAME leaves out padding"]!).nodes[0]!.attrs).toMatchObject({
      pads: [1, 0, 1, 1],
      countIncludePad: false,
    });
  });

  test("shares weights that operators share", () => {
    const dense = { union: UNION.dense, fields: [] };
    const graph = read({
      tensors: [
        { name: "x", shape: [1, 2] },
        { name: "w", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
        { name: "a", shape: [1, 2] },
        { name: "y", shape: [1, 2] },
      ],
      operators: [
        { code: "FULLY_CONNECTED", inputs: ["x", "w", ""], outputs: ["a"], options: dense },
        { code: "FULLY_CONNECTED", inputs: ["a", "w", ""], outputs: ["y"], options: dense },
      ],
      inputs: ["x"],
      outputs: ["y"],
    });
    expect(graph.nodes.map((n) => n.inputs[1])).toEqual(["w", "w"]);
    expect(Array.from(graph.tensors.get("w")!.data as Float32Array)).toEqual([1, 3, 2, 4]);
  });
});

describe("a refused TFLite model", () => {
  test("lists every operator that cannot be read, with its nodes and its reason", () => {
    const shape = [1, 4, 4, 2];
    const names = ["x", "a", "b", "c", "d", "y"];
    const model: TestModel = {
      tensors: names.map((name) => ({ name, shape })),
      operators: [
        { code: "WHILE", inputs: ["x"], outputs: ["a"] },
        { code: "WHILE", inputs: ["a"], outputs: ["b"] },
        { code: "ADD", inputs: ["b", "x"], outputs: ["c"], options: { union: UNION.add, fields: [{ id: 0, i8: 5 }] } },
        { code: "TILE", inputs: ["c", "x"], outputs: ["d"] },
        { code: "IF", inputs: ["d"], outputs: ["y"] },
      ],
      inputs: ["x"],
      outputs: ["y"],
    };
    expect(() => read(model)).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message:
          "model.tflite uses 4 operators that cannot be read: WHILE (a, b); ADD with the fused activation SIGN_BIT (c); " +
          "TILE with repeats computed at run time (d); IF (y)",
        hint: expect.stringMatching(/Replace these/),
      }),
    );
  });

  test("that computes the weights of a convolution says so", () => {
    const model: TestModel = {
      tensors: [
        { name: "x", shape: [1, 4, 4, 2] },
        { name: "w", shape: [2, 1, 1, 2] },
        { name: "y", shape: [1, 4, 4, 2] },
      ],
      operators: [{ code: "CONV_2D", inputs: ["x", "w"], outputs: ["y"] }],
      inputs: ["x", "w"],
      outputs: ["y"],
    };
    expect(() => read(model)).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message: expect.stringContaining("weights computed at run time (y)"),
      }),
    );
  });
});
