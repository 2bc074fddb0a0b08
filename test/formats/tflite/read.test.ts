import { describe, expect, test } from "vitest";
import { readModel } from "../../../src/formats/index.js";
import { readTflite } from "../../../src/formats/tflite/read.js";
import { describeWithData } from "../../support/shared-data.js";
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
  test("lists every operator that cannot be read, with its nodes, its reason and advice", () => {
    const shape = [1, 4, 4, 2];
    const names = ["x", "a", "b", "c", "d", "y"];
    const model: TestModel = {
      tensors: names.map((name) => ({ name, shape })),
      operators: [
        { code: "TANH", inputs: ["x"], outputs: ["a"] },
        { code: "TANH", inputs: ["a"], outputs: ["b"] },
        {
          code: "SOFTMAX",
          inputs: ["b"],
          outputs: ["c"],
          options: { union: UNION.softmax, fields: [{ id: 0, f32: 2 }] },
        },
        { code: "ADD", inputs: ["c", "x"], outputs: ["d"], options: { union: UNION.add, fields: [{ id: 0, i8: 4 }] } },
        { code: "RESIZE_BILINEAR", inputs: ["d"], outputs: ["y"] },
      ],
      inputs: ["x"],
      outputs: ["y"],
    };
    expect(() => read(model)).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message:
          "model.tflite uses 4 operators that cannot be read: TANH (a, b); SOFTMAX with beta 2 (c); " +
          "ADD with the fused activation TANH (d); RESIZE_BILINEAR (y)",
        hint: expect.stringMatching(/Replace these.*Sigmoid is read.*Resampling is not read yet/),
      }),
    );
  });

  test("that computes its weights says so", () => {
    const model: TestModel = {
      tensors: [
        { name: "x", shape: [1, 2] },
        { name: "w", shape: [2, 2] },
        { name: "y", shape: [1, 2] },
      ],
      operators: [{ code: "FULLY_CONNECTED", inputs: ["x", "w"], outputs: ["y"] }],
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

  test("that is quantised names the first such tensor", () => {
    const tensors = [
      { name: "x", shape: [1, 2], type: "int8", scale: [0.5] },
      { name: "y", shape: [1, 2], type: "int8", scale: [0.5] },
    ];
    expect(() => read({ ...relu([1, 2]), tensors })).toThrowError(
      expect.objectContaining({ code: "E_QUANTISED", message: expect.stringContaining('tensor "x" holds int8') }),
    );
  });
});

describeWithData(
  "real TFLite models that are not for this reader",
  [
    "models/litert/torchaudio_conformer.tflite",
    "models/mlperf-tiny/pretrainedResnet_quant.tflite",
    "models/coral/movenet_single_pose_lightning_ptq.tflite",
    "models/tflite-micro/dtln_noise_suppression.tflite",
  ],
  ([conformer, quantised, movenet, dtln]) => {
    test("a conformer lists all six kinds of operators that are missing", async () => {
      await expect(readModel(conformer!)).rejects.toMatchObject({ code: "E_UNSUPPORTED" });
      const message = await readModel(conformer!).catch((e: Error) => e.message);
      for (const code of ["SQUARED_DIFFERENCE", "RSQRT", "SUB", "SLICE", "BATCH_MATMUL", "SELECT_V2"]) {
        expect(message).toContain(code);
      }
    });

    test("quantised ones are named as such", async () => {
      await expect(readModel(quantised!)).rejects.toMatchObject({
        code: "E_QUANTISED",
        message: expect.stringContaining("input_1_int8"),
      });
      await expect(readModel(movenet!)).rejects.toMatchObject({ code: "E_QUANTISED" });
      // Its recurrent layers have scratch tensors without extent.
      await expect(readModel(dtln!)).rejects.toMatchObject({ code: "E_QUANTISED" });
    });
  },
);
