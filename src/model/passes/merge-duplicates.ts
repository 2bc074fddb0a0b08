import { outputTensors } from "../graph.js";
import { sizeOf, type Graph, type Node, type Tensor } from "../types.js";
import { lean } from "./rewrite.js";

/** Constants above this many elements are weights: the same values there are one tensor, or chance. */
const SMALL = 64;

/** Nodes that compute the same of the same become one, the first; two ports keep a tensor each. */
export function mergeDuplicates(graph: Graph): Graph {
  const ports = outputTensors(graph);
  const same = new Map<string, string>();
  const constants = constantKeys(graph);
  const first = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const source of graph.nodes) {
    const node = source.inputs.some((name) => same.has(name))
      ? { ...source, inputs: source.inputs.map((name) => same.get(name) ?? name) }
      : source;
    const operands = node.inputs.map((name) => constants.get(name) ?? name);
    const quants = node.outputs.map((name) => graph.tensors.get(name)!.quant ?? null);
    const key = JSON.stringify([node.op, node.attrs, operands, quants]);
    const known = first.get(key);
    const both = known?.outputs.some((name, i) => ports.has(name) && ports.has(node.outputs[i]!));
    if (!known || both) {
      if (!known) first.set(key, node);
      nodes.push(node);
      continue;
    }
    node.outputs.forEach((name, i) => {
      same.set(name, known.outputs[i]!);
      if (ports.has(name)) ports.add(known.outputs[i]!);
    });
  }
  if (same.size === 0) return graph;
  const tensors = new Map<string, Tensor>(graph.tensors);
  for (const name of same.keys()) tensors.delete(name);
  const outputs = graph.outputs.map((port) => ({ ...port, tensor: same.get(port.tensor) ?? port.tensor }));
  return lean({ ...graph, outputs, tensors, nodes });
}

/** Small constants by what they hold: files repeat a number for each of its uses. */
function constantKeys(graph: Graph): Map<string, string> {
  const keys = new Map<string, string>();
  for (const [name, { type, data }] of graph.tensors) {
    if (data && sizeOf(type.shape) <= SMALL) keys.set(name, ` ${type.dtype}[${type.shape}]${data.join()}`);
  }
  return keys;
}
