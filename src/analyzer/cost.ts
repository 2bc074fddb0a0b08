import { getOp } from "../model/ops/index.js";
import { BYTES_PER_ELEMENT, sizeOf, type Graph, type TensorType } from "../model/types.js";

/** What one node costs at batch 1. */
export interface NodeCost {
  readonly node: string;
  readonly op: string;
  /** Multiply-accumulates. */
  readonly macs: number;
  /** Elements of its constant operands; a constant shared by two nodes counts at both. */
  readonly params: number;
  /** Bytes of weights and activations that the node reads and writes. */
  readonly bytes: number;
}

/** What a network costs at batch 1. */
export interface GraphCost {
  readonly macs: number;
  /** Elements of all f32 constants that nodes read, each counted once. */
  readonly params: number;
  /** Bytes of these constants. */
  readonly weightBytes: number;
  /** Bytes moved by all nodes together. */
  readonly bytes: number;
  readonly nodes: readonly NodeCost[];
}

const typeOf = (graph: Graph, name: string): TensorType => graph.tensors.get(name)!.type;

/** MACs, parameters and bytes, per node and in total, at batch 1. */
export function graphCost(graph: Graph): GraphCost {
  const constants = new Set<string>();
  const nodes = graph.nodes.map((node): NodeCost => {
    let params = 0;
    for (const name of node.inputs) {
      const t = graph.tensors.get(name)!;
      if (t.data === undefined || t.type.dtype !== "f32") continue;
      params += sizeOf(t.type.shape);
      constants.add(name);
    }
    const { macs, bytes } = getOp(node.op).cost(
      node.inputs.map((t) => typeOf(graph, t)),
      node.outputs.map((t) => typeOf(graph, t)),
      node.attrs,
    );
    return { node: node.name, op: node.op, macs, params, bytes };
  });
  let params = 0;
  let weightBytes = 0;
  for (const name of constants) {
    const { shape, dtype } = typeOf(graph, name);
    params += sizeOf(shape);
    weightBytes += BYTES_PER_ELEMENT[dtype] * sizeOf(shape);
  }
  const sum = (f: (n: NodeCost) => number): number => nodes.reduce((s, n) => s + f(n), 0);
  return { macs: sum((n) => n.macs), params, weightBytes, bytes: sum((n) => n.bytes), nodes };
}
