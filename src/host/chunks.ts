/** A large batch as chunks of a fixed size: what to copy where, for tensors whose batch axis need not be the first. */
import type { Words } from "../model/words.js";
import { typeOf } from "../model/graph.js";
import { shapeAt, sizeOf, type Graph, type TensorType } from "../model/types.js";

/**
 * Whether samples are computed independently of one another, so that a batch may be cut: every tensor that comes of an
 * input keeps the batch axis, and nothing normalises over it.
 */
export function samplesAreIndependent(graph: Graph): boolean {
  const fed = new Set(graph.inputs.map((port) => port.tensor));
  if ([...fed].some((name) => typeOf(graph, name).batchAxis === null)) return false;
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => fed.has(name))) continue;
    for (const name of node.outputs) {
      fed.add(name);
      if (typeOf(graph, name).batchAxis === null) return false;
    }
  }
  return true;
}

/**
 * Copies `count` samples between a tensor of `wholeBatch` samples and one of `partBatch`, both in plain order.
 * `toPart`: whole from sample `first` → part from 0; else part from 0 → whole from `first`.
 */
export function copySamples(
  type: TensorType,
  whole: Words,
  wholeBatch: number,
  part: Words,
  partBatch: number,
  first: number,
  count: number,
  toPart: boolean,
): void {
  const axis = type.batchAxis ?? 0;
  const outer = sizeOf(type.shape.slice(0, axis));
  const inner = sizeOf(shapeAt(type, 1).slice(axis));
  for (let o = 0; o < outer; o++) {
    const at = (o * wholeBatch + first) * inner;
    const to = o * partBatch * inner;
    if (toPart) part.set(whole.subarray(at, at + count * inner), to);
    else whole.set(part.subarray(to, to + count * inner), at);
  }
}
