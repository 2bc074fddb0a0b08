import { outputTensors } from "../graph.js";
import type { Graph, Node, Tensor } from "../types.js";
import { verify } from "../verify.js";

/** Drops nodes that no output needs, and constants that no node uses. Inputs stay: they are the interface. */
export function removeDeadNodes(graph: Graph): Graph {
  const live = outputTensors(graph);
  const nodes: Node[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (!node.outputs.some((name) => live.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) live.add(name);
  }
  nodes.reverse();
  for (const node of nodes) for (const name of node.outputs) live.add(name);
  for (const port of graph.inputs) live.add(port.tensor);
  if (nodes.length === graph.nodes.length && live.size === graph.tensors.size) return graph;
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of graph.tensors) if (live.has(name)) tensors.set(name, tensor);
  return verify({ ...graph, nodes, tensors });
}
