import { expandOps, foldBatchNorm } from "../../model/passes/index.js";
import type { Graph } from "../../model/types.js";
import { TfliteWriter } from "./write/context.js";
import { decompositions } from "./write/decompose.js";
import { direct } from "./write/direct.js";
import { fileBytes } from "./write/file.js";
import { legalise } from "./write/legalise.js";

/**
 * The graph as a float TFLite model. Ports keep their names, shapes and element types, with the batch left open; batch
 * norms are folded, and operators that TFLite does not have are made up of others. The bytes depend on the graph alone.
 * Reading them gives an equal graph where every operator has its counterpart.
 *
 * @throws IdapError E_UNSUPPORTED with all nodes that have no TFLite form
 */
export function tfliteBytes(graph: Graph): Uint8Array {
  const known = (op: string): boolean => Object.hasOwn(direct, op) || Object.hasOwn(decompositions, op);
  const legal = legalise(expandOps(foldBatchNorm(graph), ({ op }) => known(op)));
  const writer = new TfliteWriter(legal);
  for (const node of legal.nodes) if (!writer.isFused(node)) direct[node.op]!.write(writer, node, node.attrs);
  return fileBytes(writer.finish());
}
