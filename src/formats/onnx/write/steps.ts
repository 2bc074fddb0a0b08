import { GraphBuilder } from "../../../model/builder.js";
import { removeDeadNodes } from "../../../model/passes/dead-nodes.js";
import type { Graph, Node } from "../../../model/types.js";
import { unrolled, whyNotUnrolled, type DataOf, type StepAttrs } from "../../shared/decompose/recurrent.js";

const dataOf =
  (graph: Graph, { inputs }: Node): DataOf =>
  (i) =>
    graph.tensors.get(inputs[i] ?? "")?.data ?? null;

/** ONNX clips what goes into the gates and not the cell; such a layer is written as its steps. */
export function hasOnlySteps({ op, attrs }: Node): boolean {
  return op === "lstm" && typeof attrs.cellClip === "number";
}

/** Why a node that has only steps cannot be written as those, or null. */
export function whyNoSteps(graph: Graph, node: Node): string | null {
  const types = node.inputs.map((x) => graph.tensors.get(x)!.type);
  const reason = whyNotUnrolled(types, dataOf(graph, node));
  return reason === null ? null : `${node.op} with cellClip ${reason}`;
}

/** The same graph with the nodes that have only steps as those. */
export function withSteps(graph: Graph): Graph {
  if (!graph.nodes.some(hasOnlySteps)) return graph;
  const b = new GraphBuilder(graph.name);
  const names = new Map<string, string>();
  for (const { name, tensor } of graph.inputs)
    names.set(tensor, b.input(name, graph.tensors.get(tensor)!.type, tensor));
  for (const [name, { data, type, quant }] of graph.tensors) {
    if (data) names.set(name, b.constant(name, type.dtype, type.shape, data, quant));
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((x) => names.get(x)!);
    const made = hasOnlySteps(node)
      ? steps(b, node, inputs, dataOf(graph, node))
      : b.node(node.op, inputs, node.attrs, { name: node.name, outputs: node.outputs });
    node.outputs.forEach((name, i) => names.set(name, made[i]!));
  }
  for (const { name, tensor } of graph.outputs) b.output(names.get(tensor)!, name);
  return removeDeadNodes(b.build());
}

function steps(b: GraphBuilder, { name, op, attrs }: Node, inputs: readonly string[], data: DataOf): string[] {
  const emitter = {
    typeOf: (tensor: string) => b.typeOf(tensor),
    constant: (shape: readonly number[], values: Float32Array | Int32Array) =>
      b.constant(`${name}/constant`, values instanceof Int32Array ? "i32" : "f32", shape, values),
    emit: (inner: string, operands: readonly string[], innerAttrs = {}) =>
      b.node(inner, operands, innerAttrs, { name: `${name}/${inner}` })[0]!,
  };
  return unrolled(emitter, op, inputs, attrs as unknown as StepAttrs, data);
}
