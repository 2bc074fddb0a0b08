import type { Graph } from "../../model/types.js";
import { readGraphModel } from "./graph/read.js";
import { readLayersModel } from "./layers.js";

/**
 * Reads a TensorFlow.js model, of layers or a graph. Input ports are named as the file's input layers or placeholders,
 * output ports as the layers or nodes that give them.
 *
 * @param json the parsed model.json
 * @param name name of the graph
 * @param file name for messages
 * @param readShard gives the bytes of a path of the weights manifest
 * @param batch extent of axis 0 of the inputs that stands for the batch
 * @param shapes shapes of inputs, by name, whose extents the file leaves open
 */
export function readTfjs(
  json: unknown,
  name: string,
  file: string,
  readShard: (path: string) => Uint8Array,
  batch = 1,
  shapes?: Readonly<Record<string, readonly number[]>>,
): Graph {
  return isGraphModel(json)
    ? readGraphModel(json, name, file, readShard, batch, shapes)
    : readLayersModel(json, name, file, readShard, batch, shapes);
}

/** Old converters state no format: a graph has nodes. */
function isGraphModel(json: unknown): boolean {
  if (typeof json !== "object" || json === null) return false;
  if ("format" in json && json.format === "graph-model") return true;
  const topology = "modelTopology" in json ? json.modelTopology : null;
  return typeof topology === "object" && topology !== null && "node" in topology;
}
