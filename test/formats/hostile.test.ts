import { unzipSync, zipSync } from "fflate";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readModel } from "../../src/formats/index.js";
import { readKeras } from "../../src/formats/keras/read.js";
import { readOnnx } from "../../src/formats/onnx/read.js";
import { readTfjs } from "../../src/formats/tfjs/read.js";
import { readTflite } from "../../src/formats/tflite/read.js";
import { IdapError } from "../../src/model/errors.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { sharedData } from "../support/shared-data.js";
import { recorded } from "./keras/recorded.js";
import { cases as onnxCases } from "./onnx-cases.js";
import { writeOnnx } from "./onnx-writer.js";
import { cases as tfjsCases } from "./tfjs-cases.js";
import { cases as tfliteCases } from "./tflite-cases.js";
import { writeTflite } from "./tflite-writer.js";

/** Damages a copy: flips bits, writes extreme numbers, cuts the end off, or moves a piece. */
function mutate(source: Uint8Array, random: Random): Uint8Array {
  let bytes = new Uint8Array(source);
  const view = new DataView(bytes.buffer);
  for (let n = 1 + random.int(4); n > 0; n--) {
    const at = random.int(bytes.length);
    switch (random.int(6)) {
      case 0:
        bytes[at]! ^= 1 << random.int(8);
        break;
      case 1:
        bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.int(5)]!;
        break;
      case 2:
        if (at + 4 <= bytes.length)
          view.setUint32(at, [0, 1, 0x7fffffff, 0xffffffff, 0x80000000, 1 << 20][random.int(6)]!, true);
        break;
      case 3:
        if (at + 8 <= bytes.length) bytes.copyWithin(at, random.int(bytes.length - 8), random.int(bytes.length));
        break;
      case 4:
        bytes.fill(0, at, at + random.int(16));
        break;
      default:
        if (n === 1) bytes = bytes.slice(0, random.int(bytes.length));
        return bytes;
    }
  }
  return bytes;
}

/** Reads each mutant: a graph or an IdapError, in little time. Returns how often each came out. */
function attack(
  source: Uint8Array,
  read: (bytes: Uint8Array) => Graph,
  count: number,
  seed: number,
): Map<string, number> {
  const random = new Random(seed);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const bytes = mutate(source, random);
    let outcome: string;
    const start = performance.now();
    try {
      read(bytes);
      outcome = "graph";
    } catch (error) {
      // Allocations that the engine refuses are turned into E_FORMAT by readModel.
      if (!(error instanceof IdapError) && !(error instanceof RangeError)) throw error;
      outcome = error instanceof IdapError ? error.code : "E_FORMAT";
      expect(error.message.length).toBeGreaterThan(10);
    }
    expect(performance.now() - start, `mutant ${i}`).toBeLessThan(3000);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return outcomes;
}

/** Damage must be noticed sometimes, and must sometimes hit a weight only: else the test attacks nothing. */
function expectBoth(outcomes: Map<string, number>): void {
  expect(outcomes.get("graph")).toBeGreaterThan(0);
  expect(outcomes.get("E_FORMAT")).toBeGreaterThan(0);
}

const onnxNames = [
  "Conv with pads",
  "Flatten and Gemm",
  "Reshape by a computed shape",
  "Slice of channels and columns",
  "Pad with a value",
  "Transpose between convolutions",
];
const tfliteNames = [
  "conv SAME, stride 2, relu",
  "pad",
  "mean over the image",
  "concat with itself",
  "8-bit weights, one scale for each output",
  "squeeze",
];

describe("damaged files end in a graph or in one clear error", () => {
  test.each(tfliteNames)("TFLite, %s", (name) => {
    expectBoth(attack(writeTflite(tfliteCases[name]!), (b) => readTflite(b, "m", "m.tflite"), 300, 1));
  });

  test.each(onnxNames)("ONNX, %s", (name) => {
    expectBoth(attack(writeOnnx(onnxCases[name]!), (b) => readOnnx(b, "m", "m.onnx"), 300, 2));
  });

  test("TensorFlow.js, damaged JSON and cut weights", () => {
    for (const { json, shard } of Object.values(tfjsCases)) {
      const text = new TextEncoder().encode(JSON.stringify(json));
      const read = (b: Uint8Array): Graph => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(new TextDecoder().decode(b));
        } catch {
          throw new IdapError("E_FORMAT", "no valid JSON at all");
        }
        return readTfjs(parsed, "m", "model.json", () => shard);
      };
      attack(text, read, 40, 3);
      if (shard.length > 0) {
        expect(() => readTfjs(json, "m", "model.json", () => shard.subarray(1))).toThrowError(
          expect.objectContaining({ code: "E_FORMAT", hint: expect.stringContaining("shard") }),
        );
      }
    }
  });

  test("real models", async () => {
    const tflite = sharedData("models/hand-gesture/keypoint_classifier.tflite");
    const onnx = sharedData("models/onnx/mobilenet_v2_128_0.5.onnx");
    if (tflite) expectBoth(attack(await readFile(tflite), (b) => readTflite(b, "m", "m.tflite"), 100, 4));
    if (onnx) attack(await readFile(onnx), (b) => readOnnx(b, "m", "m.onnx"), 12, 5);
  });
});

describe("files that promise more than they hold", () => {
  test("a TFLite constant whose shape asks for a thousand times its data", () => {
    const w = { name: "w0", shape: [64, 1024], data: new Float32Array(64 * 1024) };
    const bytes = writeTflite({
      tensors: [{ name: "x", shape: [64, 1024] }, { name: "y", shape: [64, 1024] }, w],
      operators: [{ code: "ADD", inputs: ["x", "w0"], outputs: ["y"] }],
      inputs: ["x"],
      outputs: ["y"],
    });
    // The shape of w now asks for a thousand times its data.
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i + 8 <= bytes.length; i += 4) {
      if (view.getInt32(i, true) === 64 && view.getInt32(i + 4, true) === 1024) view.setInt32(i, 64_000, true);
    }
    expect(() => readTflite(bytes, "m", "m.tflite")).toThrowError(expect.objectContaining({ code: "E_FORMAT" }));
  });

  test("an ONNX constant with more extents than bytes", () => {
    const model = {
      inputs: { x: ["n", 4] },
      constants: { c: { shape: [1 << 30, 4], data: new Float32Array(4) } },
      nodes: [{ op: "Add", inputs: ["x", "c"], output: "y" }],
    };
    expect(() => readOnnx(writeOnnx(model), "m", "m.onnx")).toThrowError(
      expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("is damaged") }),
    );
  });
});

describe("readModel on wrong files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "idap-hostile-"));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  const tflite = writeTflite(tfliteCases.relu!);
  const text = new TextEncoder();
  test.each<[string, string, Uint8Array, string, RegExp]>([
    [
      "a text file",
      "notes.tflite",
      text.encode("hello, this is text"),
      "E_FORMAT",
      /notes\.tflite is not a TFLite model/,
    ],
    [
      "a Git LFS pointer",
      "net.onnx",
      text.encode("version https://git-lfs.github.com/spec/v1\n"),
      "E_FORMAT",
      /net\.onnx is no ONNX model/,
    ],
    ["an empty file", "net.tflite", new Uint8Array(0), "E_FORMAT", /net\.tflite is empty/],
    ["a truncated model", "net.tflite", tflite.slice(0, tflite.length >> 1), "E_FORMAT", /damaged or cut off/],
    ["a wrong extension", "net.onnx", tflite, "E_FORMAT", /named like an ONNX model but looks like a TFLite model/],
    ["an unknown format", "net.bin", text.encode("????????"), "E_FORMAT", /is no model that can be read/],
    [
      "the first bytes of a Keras file",
      "net.h5",
      Uint8Array.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0]),
      "E_FORMAT",
      /its HDF5 structure cannot be read/,
    ],
    ["broken JSON", "model.json", text.encode('{"modelTopology": '), "E_FORMAT", /no valid JSON/],
    ["another JSON", "model.json", text.encode('{"name": "idap"}'), "E_FORMAT", /malformed at modelTopology/],
    [
      "a graph model without nodes",
      "model.json",
      text.encode('{"format": "graph-model", "modelTopology": {}}'),
      "E_FORMAT",
      /malformed at modelTopology.node/,
    ],
  ])("%s", async (_name, file, bytes, code, message) => {
    const full = path.join(folder, file);
    await writeFile(full, bytes);
    await expect(readModel(full)).rejects.toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test("a missing file, and weights outside the folder or missing", async () => {
    await expect(readModel(path.join(folder, "none.tflite"))).rejects.toMatchObject({
      code: "E_FILE",
      message: expect.stringContaining("no such file"),
    });
    const { json } = tfjsCases["Conv2D SAME"]!;
    const write = async (paths: string[]): Promise<string> => {
      const full = path.join(folder, "layers.json");
      await writeFile(full, JSON.stringify({ ...json, weightsManifest: [{ ...json.weightsManifest[0]!, paths }] }));
      return full;
    };
    await expect(readModel(await write(["../secret.bin"]))).rejects.toMatchObject({
      code: "E_FORMAT",
      message: expect.stringContaining("outside its folder"),
    });
    await expect(readModel(await write(["gone.bin"]))).rejects.toMatchObject({
      code: "E_FILE",
      message: expect.stringContaining("gone.bin"),
    });
  });

  test("an impossible batch", async () => {
    await expect(readModel("x.tflite", { batch: 0 })).rejects.toMatchObject({ code: "E_BATCH" });
  });
});

describe("what damaged files have shown", () => {
  test("an operator with the name of a property that all objects have", () => {
    const model = {
      inputs: { x: ["n", 4] },
      nodes: [{ op: "constructor", inputs: ["x"], output: "y" }],
    };
    expect(() => readOnnx(writeOnnx(model), "m", "m.onnx")).toThrowError(
      expect.objectContaining({ code: "E_UNSUPPORTED", message: expect.stringContaining("constructor") }),
    );
  });

  test("a pool over thousands of millions of pixels takes no longer than one over few", () => {
    const pool = {
      inputs: { x: ["n", 1, 1 << 30, 1 << 6] },
      nodes: [{ op: "MaxPool", inputs: ["x"], output: "y", attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } }],
    };
    const bytes = writeOnnx(pool);
    const begin = performance.now();
    const graph = readOnnx(bytes, "m", "m.onnx");
    expect(performance.now() - begin).toBeLessThan(2000);
    expect(graph.nodes.map((n) => n.op)).toContain("max_pool2d");
  });

  test("functions that call one another twice, thirty deep", () => {
    const call = (k: number, from: string, to: string) => ({
      op: `f${k}`,
      domain: "d",
      inputs: [from],
      output: to,
    });
    const functions = Array.from({ length: 30 }, (_, k) => ({
      name: `f${k}`,
      domain: "d",
      inputs: ["a"],
      outputs: ["b"],
      nodes: k === 0 ? [] : [call(k - 1, "a", "m"), call(k - 1, "m", "b")],
    }));
    const bytes = writeOnnx({ inputs: { x: ["n", 4] }, functions, nodes: [call(29, "x", "y")] });
    expect(() => readOnnx(bytes, "m", "m.onnx")).toThrowError(
      expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("functions do not end") }),
    );
  });

  test("one number that asks for a table of a thousand million values", () => {
    const depth = { shape: [], data: BigInt64Array.of(1n << 30n) };
    const bytes = writeOnnx({
      inputs: { x: ["n", 4] },
      constants: { depth, values: { shape: [2], data: Float32Array.of(0, 1) } },
      nodes: [{ op: "OneHot", inputs: ["x", "depth", "values"], output: "y" }],
    });
    expect(() => readOnnx(bytes, "m", "m.onnx")).toThrowError(
      expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("a table of 1073741824 values") }),
    );
  });

  test("one number that cuts a tensor into a million parts", () => {
    const constant = { dtype: { type: "DT_INT32" } };
    const shape = { shape: { dim: [{ size: -1 }, { size: 1 << 20 }] } };
    const node = [
      { name: "x", op: "Placeholder", input: [], attr: { dtype: { type: "DT_FLOAT" }, shape } },
      { name: "axis", op: "Const", input: [], attr: constant },
      { name: "y", op: "Split", input: ["axis", "x"], attr: { num_split: { i: 1 << 20 } } },
    ];
    const json = {
      format: "graph-model",
      modelTopology: { node },
      weightsManifest: [{ paths: ["w.bin"], weights: [{ name: "axis", shape: [], dtype: "int32" }] }],
    };
    expect(() => readTfjs(json, "m", "model.json", () => Uint8Array.of(1, 0, 0, 0))).toThrowError(
      expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("into 1048576 parts") }),
    );
  });

  test("a Keras archive with a group in the place of a weight", () => {
    const { file } = recorded.find((r) => r.name === "convt_13same" && r.kind === "keras")!;
    const parts = unzipSync(file);
    const weights = parts["model.weights.h5"]!;
    // The entry of the kernel in its group's table, and the group itself.
    new DataView(weights.buffer, weights.byteOffset).setBigUint64(7832, 7432n, true);
    expect(() => readKeras(zipSync(parts), "m", "m.keras")).toThrowError(
      expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("a group where a weight") }),
    );
  });

  test("a name of a hundred thousand characters is cut in the message", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "idap-hostile-"));
    const file = path.join(folder, "model.json");
    const { json } = tfjsCases["Conv2D SAME"]!;
    await writeFile(file, JSON.stringify({ ...json, modelTopology: { class_name: "x".repeat(100_000), config: {} } }));
    await expect(readModel(file)).rejects.toMatchObject({ message: expect.stringMatching(/^.{100,5000}$/) });
    await rm(folder, { recursive: true });
  });
});
