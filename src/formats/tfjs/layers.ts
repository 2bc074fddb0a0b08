import { z } from "zod";
import type { Graph } from "../../model/types.js";
import { readKerasConfig } from "../keras/model.js";
import { modelConfig, parse } from "../keras/topology.js";
import { NamedWeights } from "../keras/weights.js";
import { decodeWeights, weightsManifest } from "./manifest.js";

const modelJson = z.object({
  format: z.string().optional(),
  modelTopology: z.union([z.object({ model_config: modelConfig }).transform((t) => t.model_config), modelConfig]),
  weightsManifest: z.unknown().optional(),
});

/** A TensorFlow.js layers model: Keras JSON with weights beside it. */
export function readLayersModel(
  json: unknown,
  name: string,
  file: string,
  readShard: (path: string) => Uint8Array,
  batch: number,
  shapes?: Readonly<Record<string, readonly number[]>>,
): Graph {
  const model = parse(modelJson, json, file, "a TensorFlow.js layers model");
  return readKerasConfig({
    name,
    file,
    config: model.modelTopology,
    dialect: "tfjs",
    batch,
    shapes,
    weights() {
      const manifest = parse(weightsManifest, model.weightsManifest, file, "the weights manifest");
      return new NamedWeights(decodeWeights(manifest, file, readShard));
    },
  });
}
