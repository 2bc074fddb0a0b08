import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { FuzzFormat, FuzzSeed } from "../../bench/fuzz/mutate.mjs";
import { onnxBytes } from "../../src/formats/onnx/write.js";
import { tfjsFiles } from "../../src/formats/tfjs/write.js";
import { readTflite } from "../../src/formats/tflite/read.js";
import { tfliteBytes } from "../../src/formats/tflite/write.js";
import type { Graph } from "../../src/model/types.js";
import { recorded } from "../formats/keras/recorded.js";
import { cases as onnxCases } from "../formats/onnx-cases.js";
import { writeOnnx } from "../formats/onnx-writer.js";
import { cases as tfjsCases } from "../formats/tfjs-cases.js";
import { cases as tfliteCases } from "../formats/tflite-cases.js";
import { writeTflite } from "../formats/tflite-writer.js";

/** Real models up to this size; larger ones say nothing more about a reader and take long. */
const LARGEST = 1 << 20;

function single(name: string, main: string, bytes: Uint8Array): FuzzSeed {
  return { name, main, files: new Map([[main, bytes]]) };
}

/** Graphs that our writers write: what the TFLite cases hold. */
function graphs(): [string, Graph][] {
  return Object.entries(tfliteCases).map(([name, model]) => [name, readTflite(writeTflite(model), "m", "m.tflite")]);
}

/** What a writer makes of the graphs; some formats lack some operators. */
function written(write: (name: string, graph: Graph) => FuzzSeed): FuzzSeed[] {
  return graphs().flatMap(([name, graph]) => {
    try {
      return [write(`${name}, written`, graph)];
    } catch {
      return [];
    }
  });
}

function external(): FuzzSeed {
  const data = Float32Array.from({ length: 12 }, (_, i) => i);
  const model = writeOnnx({
    inputs: { x: ["n", 4] },
    constants: { w: { shape: [4, 3], data, external: { location: "w.bin", offset: "0", length: "48" } } },
    nodes: [{ op: "MatMul", inputs: ["x", "w"], output: "y" }],
  });
  const files = new Map([
    ["m.onnx", model],
    ["w.bin", new Uint8Array(data.buffer)],
  ]);
  return { name: "external data", main: "m.onnx", files };
}

/** Models in a folder, without those beside the golden recordings. */
function realModels(folder: string, extension: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => extension.test(file) && !file.includes("golden"))
    .map((file) => path.join(folder, file))
    .sort();
}

/** A TF.js model with its shards, and whether it is a graph. */
function realTfjs(file: string): FuzzSeed & { graph: boolean } {
  const folder = path.dirname(file);
  const bytes = readFileSync(file);
  const json = JSON.parse(bytes.toString("utf8")) as {
    modelTopology: object;
    weightsManifest: { paths: string[] }[];
  };
  const shards = json.weightsManifest.flatMap((g) => g.paths);
  const files = new Map([
    ["model.json", new Uint8Array(bytes)],
    ...shards.map((shard) => [shard, new Uint8Array(readFileSync(path.join(folder, shard)))] as const),
  ]);
  return { name: path.basename(folder), main: "model.json", files, graph: "node" in json.modelTopology };
}

/**
 * Undamaged models of each format: what the tests build, what our writers write, and real ones.
 *
 * @param models a folder of real models, which may be absent
 */
export function fuzzSeeds(models: string): Record<FuzzFormat, FuzzSeed[]> {
  const real = (extension: RegExp, main: string): FuzzSeed[] =>
    realModels(models, extension)
      .map((file) => single(path.basename(file), main, new Uint8Array(readFileSync(file))))
      .filter((s) => s.files.get(main)!.length <= LARGEST);
  const tfjs = realModels(models, /\.json$/)
    .map(realTfjs)
    .filter(({ files }) => [...files.values()].every((b) => b.length <= LARGEST));
  const text = new TextEncoder();
  return {
    onnx: [
      ...Object.entries(onnxCases).map(([name, model]) => single(name, "m.onnx", writeOnnx(model))),
      ...written((name, graph) => single(name, "m.onnx", onnxBytes(graph))),
      external(),
      ...real(/\.onnx$/, "m.onnx"),
    ],
    tflite: [
      ...Object.entries(tfliteCases).map(([name, model]) => single(name, "m.tflite", writeTflite(model))),
      ...written((name, graph) => single(name, "m.tflite", tfliteBytes(graph))),
      ...real(/\.tflite$/, "m.tflite"),
    ],
    "tfjs-layers": [
      ...Object.entries(tfjsCases).map(([name, { json, shard }]) => ({
        name,
        main: "model.json",
        files: new Map([
          ["model.json", text.encode(JSON.stringify(json))],
          ["weights.bin", shard],
        ]),
      })),
      ...tfjs.filter((s) => !s.graph),
    ],
    "tfjs-graph": [
      ...written((name, graph) => ({ name, main: "model.json", files: tfjsFiles(graph) })),
      ...tfjs.filter((s) => s.graph),
    ],
    h5: [
      ...recorded.filter((r) => r.kind === "h5").map((r) => single(r.name, "m.h5", r.file)),
      ...real(/\.(h5|hdf5)$/, "m.h5"),
    ],
    keras: recorded.filter((r) => r.kind === "keras").map((r) => single(r.name, "m.keras", r.file)),
  };
}
