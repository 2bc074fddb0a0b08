import type { Graph, Node, Tensor } from "../model/types.js";
import { invariant } from "../model/errors.js";

/** Who writes and who reads each tensor of a graph; built once per graph. */
export interface GraphView {
  readonly graph: Graph;
  /** The node that writes a tensor; absent for graph inputs and constants. */
  producer(tensor: string): Node | undefined;
  /** Nodes that read a tensor, in graph order; a node that reads it twice is listed once. */
  consumers(tensor: string): readonly Node[];
  tensor(name: string): Tensor;
  isConstant(name: string): boolean;
  isOutput(name: string): boolean;
  /** The only reader of a tensor that is no graph output; undefined where there are none or several. */
  soleConsumer(tensor: string): Node | undefined;
}

export function viewOf(graph: Graph): GraphView {
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const t of node.outputs) producers.set(t, node);
    for (const t of new Set(node.inputs)) {
      const list = consumers.get(t);
      if (list) list.push(node);
      else consumers.set(t, [node]);
    }
  }
  const outputs = new Set(graph.outputs.map((p) => p.tensor));
  const tensor = (name: string): Tensor => {
    const t = graph.tensors.get(name);
    invariant(t, `graph ${graph.name} has no tensor ${name}`);
    return t;
  };
  const readers = (name: string): readonly Node[] => consumers.get(name) ?? [];
  return {
    graph,
    producer: (name) => producers.get(name),
    consumers: readers,
    tensor,
    isConstant: (name) => tensor(name).data !== undefined,
    isOutput: (name) => outputs.has(name),
    soleConsumer: (name) => (outputs.has(name) || readers(name).length !== 1 ? undefined : readers(name)[0]),
  };
}
