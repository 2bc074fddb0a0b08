/** Reverse-mode differentiation, graph to graph: the backward pass is more nodes of the same IR. */
import type { VjpContext } from "../model/define-op.js";
import { IdapError } from "../model/errors.js";
import { tensorOf } from "../model/graph.js";
import { getOp } from "../model/ops/index.js";
import { expandOps } from "../model/passes/index.js";
import { GraphPatch } from "../model/patch.js";
import { sizeOf, type Graph, type Node } from "../model/types.js";

export interface Differentiated {
  /** The given graph with the backward nodes after it; each gradient is an output port of its tensor's name. */
  readonly graph: Graph;
  /** Wanted tensor → its gradient. A tensor that the loss does not depend on is absent. */
  readonly gradients: Map<string, string>;
}

/**
 * Adds nodes that compute the gradients of a scalar loss with respect to `wanted` (constants, inputs or inner tensors).
 * Contributions of several consumers are summed with `add`, last consumer first.
 * Throws E_LOSS when the loss is no scalar, E_GRADIENT when an operator on the way has no gradient rule.
 */
export function differentiate(given: Graph, lossTensor: string, wanted: readonly string[]): Differentiated {
  // What has no rule of its own has one in its expanded form, whose inner values the backward pass then shares.
  const graph = expandOps(given, ({ op }) => getOp(op).vjp !== undefined);
  const loss = tensorOf(graph, lossTensor).type;
  if (sizeOf(loss.shape) !== 1 || loss.batchAxis !== null || loss.dtype !== "f32") {
    throw new IdapError(
      "E_LOSS",
      `the loss "${lossTensor}" must be one f32 number for the whole batch, got [${loss.shape}]`,
    );
  }
  for (const name of wanted) tensorOf(graph, name);

  const needed = dependents(graph, wanted);
  const patch = new GraphPatch(graph);
  const contributions = new Map<string, string[]>();
  const totals = new Map<string, string>();

  /** The finished gradient of a tensor: all of its consumers have been visited when it is asked for. */
  const gradientOf = (name: string): string | null => {
    const known = totals.get(name);
    if (known !== undefined) return known;
    const parts = contributions.get(name);
    if (!parts) return null;
    const total = parts.reduce((sum, part) => patch.node("add", [sum, part], {}, `d/${name}/sum`)[0]!);
    totals.set(name, total);
    return total;
  };

  if (needed.has(lossTensor)) {
    contributions.set(lossTensor, [patch.constant("d/loss", loss.shape, new Float32Array([1]))]);
  }
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (!node.inputs.some((name) => needed.has(name))) continue;
    const gradOutputs = node.outputs.map(gradientOf);
    if (gradOutputs.every((g) => g === null)) continue;
    const gradients = backward(graph, patch, node, gradOutputs, needed);
    gradients.forEach((gradient, k) => {
      const input = node.inputs[k];
      if (gradient === null || input === undefined || !needed.has(input)) return;
      const parts = contributions.get(input);
      if (parts) parts.push(gradient);
      else contributions.set(input, [gradient]);
    });
  }

  const gradients = new Map<string, string>();
  for (const name of wanted) {
    const gradient = gradientOf(name);
    if (gradient !== null) gradients.set(name, gradient);
  }
  const applied = patch.apply();
  const known = new Set(applied.outputs.map((p) => p.name));
  const ports = [...new Set(gradients.values())].filter((t) => !known.has(t)).map((t) => ({ name: t, tensor: t }));
  return { graph: { ...applied, outputs: [...applied.outputs, ...ports] }, gradients };
}

/** Runs one operator's rule, with names and types of the node it belongs to. */
function backward(
  graph: Graph,
  patch: GraphPatch,
  node: Node,
  gradOutputs: readonly (string | null)[],
  needed: ReadonlySet<string>,
): (string | null)[] {
  const op = getOp(node.op);
  if (!op.vjp) throw new IdapError("E_GRADIENT", `node "${node.name}": ${node.op} has no gradient rule`);
  const prefix = `d/${node.name}`;
  const context: VjpContext<unknown> = {
    attrs: node.attrs,
    inputs: node.inputs,
    outputs: node.outputs,
    inputTypes: node.inputs.map((name) => tensorOf(graph, name).type),
    outputTypes: node.outputs.map((name) => tensorOf(graph, name).type),
    gradOutputs,
    wanted: node.inputs.map((name) => needed.has(name)),
    emit: (name, inputs, attrs = {}) => patch.node(name, inputs, attrs, `${prefix}/${name}`),
    constant: (shape, data) => patch.constant(`${prefix}/constant`, shape, data),
  };
  return op.vjp(context);
}

/** `wanted` and every tensor computed from it. */
function dependents(graph: Graph, wanted: readonly string[]): Set<string> {
  const set = new Set(wanted);
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => set.has(name))) for (const name of node.outputs) set.add(name);
  }
  return set;
}
