import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { onnxBytes } from "../../src/formats/index.js";
import { readOnnx } from "../../src/formats/onnx/read.js";
import { readTfjs } from "../../src/formats/tfjs/read.js";
import { readTflite } from "../../src/formats/tflite/read.js";
import { equalGraphs } from "../../src/model/equal.js";
import type { Graph } from "../../src/model/types.js";
import { cases as onnxCases } from "./onnx-cases.js";
import { writeOnnx } from "./onnx-writer.js";
import { outputsOf, recordedInputs, relativeError, sampleOf, type Sample } from "./support.js";
import { cases as tfjsCases } from "./tfjs-cases.js";
import { cases as tfliteCases } from "./tflite-cases.js";
import { writeTflite } from "./tflite-writer.js";

type Recorded = Record<"tflite" | "onnx" | "tfjs", Record<string, Sample[]>>;
const recorded = JSON.parse(readFileSync(new URL("./recorded.json", import.meta.url), "utf8")) as Recorded;

/**
 * The recorded runtimes compute in f32: at most 900 roundings of 2^-24 in these models, and errors are measured against
 * the largest of eight values rather than of all.
 */
const TOLERANCE = 900 * 2 ** -24;

async function check(graph: Graph, expected: readonly Sample[]): Promise<void> {
  const outputs = await outputsOf(graph, recordedInputs(graph));
  expect(outputs.map((o) => [...o.shape])).toEqual(expected.map((e) => e.shape));
  outputs.forEach((o, i) => expect(relativeError(sampleOf(o).values, expected[i]!.values)).toBeLessThan(TOLERANCE));

  const bytes = onnxBytes(graph);
  const again = readOnnx(bytes, "again", "again.onnx");
  expect(equalGraphs(graph, again)).toBeNull();
  expect(Buffer.compare(onnxBytes(again), bytes)).toBe(0);
}

describe("TFLite operators give what LiteRT gives, and so does their ONNX form", () => {
  test.each(Object.keys(recorded.tflite))("%s", async (name) => {
    await check(readTflite(writeTflite(tfliteCases[name]!), "model", "model.tflite"), recorded.tflite[name]!);
  });
});

describe("ONNX operators give what ONNX Runtime gives, read from a foreign and from our file", () => {
  test.each(Object.keys(recorded.onnx))("%s", async (name) => {
    await check(readOnnx(writeOnnx(onnxCases[name]!), "model", "model.onnx"), recorded.onnx[name]!);
  });
});

describe("layers give what TensorFlow.js gives, and so does their ONNX form", () => {
  test.each(Object.keys(recorded.tfjs))("%s", async (name) => {
    const { json, shard } = tfjsCases[name]!;
    await check(
      readTfjs(json, "model", "model.json", () => shard),
      recorded.tfjs[name]!,
    );
  });
});

test("every case has been recorded, but for 8-bit weights, whose activations LiteRT rounds to 8 bits too", () => {
  const rounded = "8-bit weights, one scale for each output";
  expect(Object.keys(recorded.tflite)).toEqual(Object.keys(tfliteCases).filter((n) => n !== rounded));
  expect(Object.keys(recorded.onnx)).toEqual(Object.keys(onnxCases));
  expect(Object.keys(recorded.tfjs)).toEqual(Object.keys(tfjsCases));

  const { tensors } = readTflite(writeTflite(tfliteCases[rounded]!), "model", "model.tflite");
  // Two outputs of six inputs, turned to [6, 2]: 0.5 * (-128, -50, ...) beside 0.25 * (3, 5, ...).
  expect(Array.from(tensors.get("w")!.data as Float32Array).slice(0, 4)).toEqual([-64, 0.75, -25, 1.25]);
  expect(tensors.get("w")!.quant).toEqual({ dtype: "i8", scale: [0.5, 0.25], zeroPoint: [0, 0], axis: 1 });
});
