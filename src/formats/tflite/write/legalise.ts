import { GraphBuilder } from "../../../model/builder.js";
import { IdapError } from "../../../model/errors.js";
import { consumersOf, outputTensors } from "../../../model/graph.js";
import { getOp } from "../../../model/ops/index.js";
import { removeDeadNodes } from "../../../model/passes/dead-nodes.js";
import type { Attrs, Graph, Node, Shape } from "../../../model/types.js";
import { inferNode } from "../../../model/verify.js";
import { decompositions, Unwritable, type Legaliser } from "./decompose.js";
import { direct, type Use } from "./direct.js";

/** More steps than any decomposition takes, so that two that make each other up are noticed. */
const DEEPEST = 16;

/**
 * The same graph of operators that TFLite has: what it does not have is made up of others.
 * @throws IdapError E_UNSUPPORTED that names every node for which there is no such form
 */
export function legalise(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name);
  const names = new Map<string, string>();
  const consumers = consumersOf(graph);
  const outputs = outputTensors(graph);
  const refused: string[] = [];
  for (const { name, tensor } of graph.inputs) {
    names.set(tensor, builder.input(name, graph.tensors.get(tensor)!.type, tensor));
  }
  for (const [name, { data, type, quant }] of graph.tensors) {
    if (data) names.set(name, builder.constant(name, type.dtype, type.shape, data, quant));
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((x) => names.get(x)!);
    const read = (i: number): boolean => consumers.has(node.outputs[i]!) || outputs.has(node.outputs[i]!);
    // What needs the result of a refused node is not looked at: its operands are unknown.
    if (inputs.some((x) => x === undefined)) continue;
    try {
      const made = form(builder, node, inputs, read);
      node.outputs.forEach((name, i) => names.set(name, made[i]!));
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error;
      refused.push(`${node.op}${error.message && ` ${error.message}`} (${node.name})`);
    }
  }
  if (refused.length > 0) {
    throw new IdapError("E_UNSUPPORTED", `graph "${graph.name}" cannot be written as TFLite: ${refused.join(", ")}`);
  }
  for (const { name, tensor } of graph.outputs) builder.output(names.get(tensor)!, name);
  // A form gives all outputs of its node, and some may have no reader.
  return removeDeadNodes(builder.build());
}

/**
 * The outputs of a node, as it is or made up of others.
 * @throws Unwritable where neither is possible
 */
function form(
  builder: GraphBuilder,
  { name, op, attrs: given, outputs }: Node,
  inputs: readonly string[],
  read: (i: number) => boolean,
  depth = 0,
): string[] {
  const attrs = getOp(op).attrs.parse(given) as Attrs;
  const draft: Node = { name, op, inputs, outputs: [], attrs };
  const use: Use = {
    attrs,
    inputs: inputs.map((x) => builder.typeOf(x)),
    outputs: inferNode(draft, (tensor) => builder.typeOf(tensor)),
    constant: (i) => builder.tensor(inputs[i]!)?.data !== undefined,
    data: (i) => builder.tensor(inputs[i]!)?.data ?? null,
    read,
  };
  const found = direct[op];
  if (found && (found.fits?.(use) ?? true)) return builder.node(op, inputs, attrs, { name, outputs });
  const decompose = decompositions[op];
  if (!decompose || depth > DEEPEST) throw new Unwritable();
  const all = (inner: string, operands: readonly string[], innerAttrs: Attrs = {}): string[] => {
    const node = { name: `${name}/${inner}`, op: inner, attrs: innerAttrs, inputs: operands, outputs: [] };
    return form(builder, node, operands, () => true, depth + 1);
  };
  const emitter: Legaliser = {
    typeOf: (tensor) => builder.typeOf(tensor),
    constant: (shape: Shape, data) =>
      builder.constant(`${name}/constant`, data instanceof Int32Array ? "i32" : "f32", shape, data),
    emit: (inner, operands, innerAttrs) => all(inner, operands, innerAttrs)[0]!,
    all,
  };
  return decompose(emitter, inputs, attrs, use);
}
