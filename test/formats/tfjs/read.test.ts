import { describe, expect, test } from "vitest";
import { readTfjs } from "../../../src/formats/tfjs/read.js";
import type { Graph } from "../../../src/model/types.js";
import { opCounts } from "../support.js";
import { cases, functional, layer, sequential, withWeights, type TestLayers } from "../tfjs-cases.js";

const read = ({ json, shard }: TestLayers, batch?: number): Graph =>
  readTfjs(json, "model", "model.json", () => shard, batch);
const dense = (units: number, more: object = {}) =>
  layer("Dense", "d", { units, activation: "linear", use_bias: true, ...more });

describe("the interface of a layers model", () => {
  test("inputs are called as the input layers, outputs as the layers that give them", () => {
    const graph = read(cases["Add, Multiply, Concatenate, Softmax"]!);
    expect(graph.inputs.map((p) => p.name)).toEqual(["x"]);
    expect(graph.outputs.map((p) => p.name)).toEqual(["s", "l", "a"]);
  });

  test("the input of a sequential model is called after its first layer", () => {
    const graph = read(cases.DepthwiseConv2D!);
    expect(graph.inputs.map((p) => p.name)).toEqual(["d_input"]);
    expect(graph.tensors.get("d_input")!.type).toEqual({ dtype: "f32", shape: [1, 9, 8, 6], batchAxis: 0 });
  });

  test("a fixed first extent is the batch where the caller says so", () => {
    const model = withWeights(sequential(dense(2, { batch_input_shape: [4, 3] })), {
      "d/kernel": [3, 2],
      "d/bias": [2],
    });
    expect(read(model).tensors.get("d_input")!.type).toEqual({ dtype: "f32", shape: [4, 3], batchAxis: null });
    expect(read(model, 4).tensors.get("d_input")!.type).toEqual({ dtype: "f32", shape: [1, 3], batchAxis: 0 });
  });
});

describe("weights", () => {
  const model = sequential(dense(2, { batch_input_shape: [null, 2], use_bias: false }));

  test.each([
    ["uint8", Uint8Array.of(0, 1, 128, 255), { dtype: "uint8", scale: 0.5, min: -10 }, [-10, -9.5, 54, 117.5]],
    [
      "uint16",
      new Uint8Array(Uint16Array.of(0, 1, 256, 65535).buffer),
      { dtype: "uint16", scale: 0.25, min: 1 },
      [1, 1.25, 65, 16384.75],
    ],
    // 1, -2, the largest finite half, the smallest subnormal one.
    [
      "float16",
      new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001).buffer),
      { dtype: "float16" },
      [1, -2, 65504, 2 ** -24],
    ],
  ])("%s are decoded as scale * q + min, or exactly", (_name, shard, quantization, values) => {
    const { json } = withWeights(model, { "d/kernel": [2, 2] });
    json.weightsManifest[0]!.weights[0]!.quantization = quantization;
    expect(Array.from(read({ json, shard }).tensors.get("d/kernel")!.data as Float32Array)).toEqual(values);
  });

  test("are found behind the prefixes that writers add", () => {
    const prefixed = withWeights(model, { "outer/d/kernel:0": [2, 2] });
    expect(read(prefixed).nodes[0]!.op).toBe("dense");
  });

  test("that are missing are named", () => {
    expect(() => read(withWeights(model, { "other/kernel": [2, 2] }))).toThrowError(
      expect.objectContaining({
        code: "E_FORMAT",
        message: 'model.json: layer "d": the file holds no weight "d/kernel"',
      }),
    );
  });

  test("of a layer that is called twice are one constant", () => {
    const graph = read(cases["one layer called twice"]!);
    expect(graph.nodes.filter((n) => n.op === "dense").map((n) => n.inputs.slice(1))).toEqual([
      ["d/kernel", "d/bias"],
      ["d/kernel", "d/bias"],
    ]);
  });
});

test("layers that do nothing at inference leave no node", () => {
  const graph = read(cases["ReLU, Dropout, ZeroPadding2D, Flatten"]!);
  expect(opCounts(graph)).toEqual({ relu6: 1, pad: 1, reshape: 1 });
});

describe("a refused layers model", () => {
  test("lists every layer that cannot be read, with its reason", () => {
    const model = functional(
      { x: [null, 8, 8, 2] },
      [
        { layer: layer("ConvLSTM2D", "memory"), calls: [["x"]] },
        { layer: layer("Conv2D", "c", { kernel_size: [3, 3], padding: "causal" }), calls: [["x"]] },
        { layer: layer("LSTM", "g", { units: 3, activation: "gelu" }), calls: [["x"]] },
        { layer: layer("Activation", "t", { activation: "mystery" }), calls: [["c"]] },
        { layer: layer("Masking", "r", { mask_value: 0 }), calls: [["t"]] },
      ],
      ["r"],
    );
    expect(() => read(withWeights(model, {}))).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message:
          "model.json uses 5 operators that cannot be read: ConvLSTM2D (memory); Conv2D with padding causal (c); " +
          "LSTM with the activation gelu (g); Activation with the activation mystery (t); " +
          "Masking with a mask for the layers after it (r)",
        hint: expect.stringContaining("Replace these in the source network"),
      }),
    );
  });

  test("that feeds a layer from nowhere, or itself, says which", () => {
    const model = functional(
      { x: [null, 2] },
      [{ layer: layer("Activation", "loop", { activation: "relu" }), calls: [["loop"]] }],
      ["loop"],
    );
    expect(() => read(withWeights(model, {}))).toThrowError(
      expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining('layer "loop" takes') }),
    );
  });
});
