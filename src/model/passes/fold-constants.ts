import { fromDoubles, toDoubles } from "../doubles.js";
import { outputTensors } from "../graph.js";
import { getOp } from "../ops/index.js";
import { shapeAt, sizeOf, type Graph, type Node, type Tensor, type TensorData } from "../types.js";
import { verify } from "../verify.js";
import { removeDeadNodes } from "./dead-nodes.js";
import { permuteData } from "./layout-view.js";

/** A constant that grows beyond this many elements, and this many times, is computed when the model runs. */
const MOST_ELEMENTS = 2 ** 22;
const MOST_GROWTH = 4;

/** Work that is not done at read: the reference evaluation is slow. */
const MOST_MACS = 2 ** 26;

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
    const results = node.outputs.map((name) => tensors.get(name)!);
    const known = operands.every((t) => t.data) && !node.outputs.some((name) => outputs.has(name));
    if (!known || isTooMuch(node, operands, results)) {
      nodes.push(node);
      continue;
    }
    const values = evaluate(node, operands, results);
    results.forEach((tensor, i) => tensors.set(tensor.name, { ...tensor, data: values[i]! }));
  }
  return nodes.length === graph.nodes.length ? graph : removeDeadNodes(verify({ ...graph, nodes, tensors }));
}

function isTooMuch(node: Node, operands: readonly Tensor[], results: readonly Tensor[]): boolean {
  const total = (list: readonly Tensor[]): number => list.reduce((sum, { type }) => sum + sizeOf(type.shape), 0);
  const types = (list: readonly Tensor[]) => list.map((t) => t.type);
  const grown = total(results);
  if (grown > MOST_ELEMENTS && grown > MOST_GROWTH * total(operands)) return true;
  return getOp(node.op).cost(types(operands), types(results), node.attrs).macs > MOST_MACS;
}

function evaluate(node: Node, operands: readonly Tensor[], results: readonly Tensor[]): TensorData[] {
  const [x] = operands;
  // Weights may be large: what only moves them needs no doubles.
  if (node.op === "reshape") return [x!.data!];
  if (node.op === "transpose") {
    return [permuteData(x!.data!, x!.type.dtype, x!.type.shape, node.attrs.perm as number[])];
  }
  const values = getOp(node.op).reference(
    operands.map(({ data, type }) => ({ data: toDoubles(data!), shape: type.shape, dtype: type.dtype })),
    node.attrs,
    results.map(({ type }) => shapeAt(type, 1)),
  );
  return values.map((value, i) => fromDoubles(value.data, results[i]!.type.dtype));
}
