import { fromDoubles, toDoubles } from "../doubles.js";
import { outputTensors } from "../graph.js";
import { getOp } from "../ops/index.js";
import { shapeAt, type Graph, type Node, type Tensor } from "../types.js";
import { verify } from "../verify.js";
import { removeDeadNodes } from "./dead-nodes.js";

/**
 * Evaluates nodes whose inputs are all constants, in f64, each result rounded once to its dtype. A node that makes a
 * graph output stays, because an output must be computed.
 */
export function foldConstants(graph: Graph): Graph {
  const outputs = outputTensors(graph);
  const tensors = new Map<string, Tensor>(graph.tensors);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const operands = node.inputs.map((name) => tensors.get(name)!);
    if (operands.some((t) => !t.data) || node.outputs.some((name) => outputs.has(name))) {
      nodes.push(node);
      continue;
    }
    const results = getOp(node.op).reference(
      operands.map(({ data, type }) => ({ data: toDoubles(data!), shape: type.shape, dtype: type.dtype })),
      node.attrs,
      node.outputs.map((name) => shapeAt(tensors.get(name)!.type, 1)),
    );
    node.outputs.forEach((name, i) => {
      const tensor = tensors.get(name)!;
      tensors.set(name, { ...tensor, data: fromDoubles(results[i]!.data, tensor.type.dtype) });
    });
  }
  return nodes.length === graph.nodes.length ? graph : removeDeadNodes(verify({ ...graph, nodes, tensors }));
}
