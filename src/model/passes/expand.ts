/** Operators in the form of simpler ones, for whoever has no code of its own for them. */
import { getOp } from "../ops/index.js";
import type { Graph, Node, Tensor } from "../types.js";
import { verify } from "../verify.js";
import { Splice } from "./splice.js";

/**
 * Every node that is not `known` and whose operator has an expansion becomes its nodes, and these in turn. Results keep
 * their names, so that what observes them finds them.
 */
export function expandOps(graph: Graph, known: (node: Node) => boolean): Graph {
  const isExpanded = (node: Node): boolean => getOp(node.op).expand !== undefined && !known(node);
  if (!graph.nodes.some(isExpanded)) return graph;
  const tensors = new Map<string, Tensor>(graph.tensors);
  const names = new Set(graph.nodes.map((node) => node.name));
  const nodes: Node[] = [];
  const place = (node: Node): void => {
    if (isExpanded(node)) for (const inner of expandNode(node, tensors, names)) place(inner);
    else nodes.push(node);
  };
  graph.nodes.forEach(place);
  return verify({ ...graph, tensors, nodes });
}

/** The nodes that stand for one; their tensors and names are added to those that exist. */
function expandNode(node: Node, tensors: Map<string, Tensor>, names: Set<string>): Node[] {
  const splice = new Splice(tensors, names, node.name);
  const type = (name: string): Tensor["type"] => tensors.get(name)!.type;
  const results = getOp(node.op).expand!({
    attrs: node.attrs,
    inputs: node.inputs,
    inputTypes: node.inputs.map(type),
    outputTypes: node.outputs.map(type),
    fixed: (i) => tensors.get(node.inputs[i]!)?.data ?? null,
    emit: (op, inputs, attrs) => splice.all(op, inputs, attrs),
    constant: (shape, data) => splice.constant(shape, data),
  });
  return splice.named(new Map(results.map((name, i) => [name, node.outputs[i]!])));
}
