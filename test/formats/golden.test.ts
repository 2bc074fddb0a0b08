import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onnxBytes, readModel, writeModel } from "../../src/formats/index.js";
import { equalGraphs } from "../../src/model/equal.js";
import { describeWithData } from "../support/shared-data.js";
import { goldenCases, hybridOutputs, opCounts, outputsOf, relativeError } from "./support.js";

/** What the task asks of every reader; the reference executor computes in f64, the recorded runtimes in f32. */
const TOLERANCE = 1e-4;

interface Case {
  readonly model: string;
  readonly golden: string;
  readonly ops: Record<string, number>;
  /** Slow in f64: how many of the recorded cases are run. */
  readonly cases?: number;
  /**
   * Its convolutions have 8-bit weights. The recorded runtime rounds their operands to 8 bits while it runs, which a
   * float graph does not: with that rounding the outputs are equal, without it they are this far from the recorded ones.
   */
  readonly eightBitWeights?: number;
}

const tiny = "models/mlperf-tiny";
const resnet8 = { conv2d: 9, add: 3, relu: 7, avg_pool2d: 1, reshape: 1, dense: 1, softmax: 1 };

const models: Case[] = [
  { model: `${tiny}/pretrainedResnet.tflite`, golden: `${tiny}/golden/pretrainedResnet.tflite`, ops: resnet8 },
  {
    model: `${tiny}/pretrainedResnet_large_float.tflite`,
    golden: `${tiny}/golden/pretrainedResnet_large_float.tflite`,
    ops: resnet8,
    cases: 1,
  },
  {
    model: `${tiny}/kws_ref_model_float32.tflite`,
    golden: `${tiny}/golden/kws_ref_model_float32.tflite`,
    eightBitWeights: 2e-3,
    ops: { conv2d: 5, depthwise_conv2d: 4, relu: 9, avg_pool2d: 1, reshape: 1, dense: 1, softmax: 1 },
  },
  {
    model: `${tiny}/vww_96_float.tflite`,
    golden: `${tiny}/golden/vww_96_float.tflite`,
    ops: { conv2d: 14, depthwise_conv2d: 13, relu: 27, avg_pool2d: 1, reshape: 1, dense: 1, softmax: 1 },
    cases: 1,
  },
  { model: `${tiny}/ad01_fp32.tflite`, golden: `${tiny}/golden/ad01_fp32.tflite`, ops: { dense: 10, relu: 9 } },
  {
    model: "models/hand-gesture/keypoint_classifier.tflite",
    golden: "models/hand-gesture/golden/keypoint_classifier.tflite",
    ops: { dense: 3, relu: 2, softmax: 1 },
  },
  {
    model: "models/hand-gesture/point_history_classifier.tflite",
    golden: "models/hand-gesture/golden/point_history_classifier.tflite",
    ops: { dense: 3, relu: 2, softmax: 1 },
  },
  {
    model: "models/tflite-micro/hello_world_float.tflite",
    golden: "models/tflite-micro/golden/hello_world_float.tflite",
    ops: { dense: 3, relu: 2 },
  },
  {
    model: "models/tfjs/resnet8-layers/model.json",
    golden: "models/tfjs/resnet8-layers/golden",
    ops: { ...resnet8, batch_norm: 7 },
  },
  { model: "models/tfjs/abalone/model.json", golden: "models/tfjs/abalone/golden", ops: { dense: 3, sigmoid: 2 } },
  {
    model: "models/onnx/mobilenet_v2_128_0.5.onnx",
    golden: "models/onnx/golden/mobilenet_v2_128_0.5.onnx",
    ops: {
      transpose: 1,
      conv2d: 35,
      depthwise_conv2d: 17,
      relu6: 35,
      add: 10,
      batch_norm: 7,
      pad: 4,
      avg_pool2d: 1,
      reshape: 1,
      dense: 1,
      softmax: 1,
    },
    cases: 1,
  },
];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "idap-formats-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

for (const { model, golden, ops, cases, eightBitWeights } of models) {
  describeWithData(`golden outputs of ${model}`, [model, golden], ([file, goldenFolder]) => {
    test("come out of the graph that was read, and of what was written from it", async () => {
      const graph = await readModel(file!);
      expect(opCounts(graph)).toEqual(ops);
      for (const { tensor } of graph.inputs) expect(graph.tensors.get(tensor)!.type.batchAxis).toBe(0);

      const written = path.join(folder, `${graph.name}.onnx`);
      await writeModel(graph, written, "onnx");
      const again = await readModel(written);
      expect(equalGraphs(graph, again)).toBeNull();
      expect(Buffer.compare(onnxBytes(graph), onnxBytes(again))).toBe(0);

      for (const { inputs, outputs } of goldenCases(goldenFolder!).slice(0, cases)) {
        const got = await outputsOf(graph, inputs);
        got.forEach((value, i) => {
          expect(value.shape).toEqual(outputs[i]!.shape);
          const error = relativeError(value.data as Float32Array, outputs[i]!.data as Float32Array);
          expect(error).toBeLessThan(eightBitWeights ?? TOLERANCE);
        });
        if (eightBitWeights === undefined) continue;
        hybridOutputs(graph, inputs).forEach((value, i) => {
          const error = relativeError(value.data as Float32Array, outputs[i]!.data as Float32Array);
          expect(error).toBeLessThan(1e-6);
        });
      }
    });
  });
}

describeWithData(
  "one network in three formats",
  [
    `${tiny}/pretrainedResnet.tflite`,
    "models/tfjs/resnet8-layers/model.json",
    `${tiny}/golden/pretrainedResnet.tflite`,
  ],
  ([tflite, tfjs, golden]) => {
    test("TFLite, TensorFlow.js and our ONNX give the recorded outputs", async () => {
      const fromTflite = await readModel(tflite!);
      const onnx = path.join(folder, "resnet8-copy.onnx");
      await writeModel(fromTflite, onnx, "onnx");
      const graphs = [fromTflite, await readModel(tfjs!), await readModel(onnx)];
      for (const { inputs, outputs } of goldenCases(golden!)) {
        for (const graph of graphs) {
          const [value] = await outputsOf(graph, inputs);
          expect(relativeError(value!.data as Float32Array, outputs[0]!.data as Float32Array)).toBeLessThan(TOLERANCE);
        }
      }
    });

    test("ports are called what the file calls them", async () => {
      const fromTflite = await readModel(tflite!);
      expect(fromTflite.inputs.map((p) => p.name)).toEqual(["input_1"]);
      expect(fromTflite.outputs.map((p) => p.name)).toEqual(["Identity"]);
      const fromTfjs = await readModel(tfjs!);
      expect(fromTfjs.inputs.map((p) => p.name)).toEqual(["input_1"]);
      expect(fromTfjs.outputs.map((p) => p.name)).toEqual(["dense"]);
    });
  },
);

describe("the relative error used here", () => {
  test("sees a wrong value", () => {
    expect(relativeError([1, 2, 3], [1, 2, 3.001])).toBeGreaterThan(TOLERANCE);
    expect(relativeError([1, NaN], [1, 2])).toBe(Infinity);
  });
});
