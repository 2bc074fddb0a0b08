/** Operators in the form of simpler ones, for whoever has no code of its own for them. */
import type { ExpandContext } from "../define-op.js";
import { uniqueName } from "../graph.js";
import { getOp } from "../ops/index.js";
import type { Attrs, Graph, Node, Tensor } from "../types.js";
import { inferNode, verify } from "../verify.js";

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
  const added: Node[] = [];
  const type = (name: string): Tensor["type"] => tensors.get(name)!.type;
  const context: ExpandContext<unknown> = {
    attrs: node.attrs,
    inputs: node.inputs,
    inputTypes: node.inputs.map(type),
    outputTypes: node.outputs.map(type),
    fixed: (i) => tensors.get(node.inputs[i]!)?.data ?? null,
    emit(op, inputs, attrs = {}) {
      const name = uniqueName(names, `${node.name}/${op}`);
      const draft: Node = { name, op, inputs: [...inputs], outputs: [], attrs: getOp(op).attrs.parse(attrs) as Attrs };
      const outputs = inferNode(draft, (t) => tensors.get(t)?.type).map((t, i) => {
        const tensor = uniqueName(tensors, i === 0 ? name : `${name}:${i}`);
        tensors.set(tensor, { name: tensor, type: t });
        return tensor;
      });
      names.add(name);
      added.push({ ...draft, outputs });
      return outputs;
    },
    constant(shape, data) {
      const name = uniqueName(tensors, `${node.name}/constant`);
      tensors.set(name, { name, type: { dtype: "f32", shape, batchAxis: null }, data });
      return name;
    },
  };
  const results = getOp(node.op).expand!(context);
  const final = new Map(results.map((name, i) => [name, node.outputs[i]!]));
  const to = (name: string): string => final.get(name) ?? name;
  for (const name of results) tensors.delete(name);
  return added.map((n) => ({ ...n, inputs: n.inputs.map(to), outputs: n.outputs.map(to) }));
}
