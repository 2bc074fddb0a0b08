import { getOp } from "../model/ops/index.js";
import { sameShape, type Graph, type Node } from "../model/types.js";
import { producersOf } from "./producers.js";
import { viewOf, type GraphView } from "./view.js";

/** A part of a network that can be taken out whole because a tensor of the same shape can stand in for its result. */
export interface Unit {
  /** Stable name: kind and the node that ends the unit. */
  readonly name: string;
  /**
   * `branch`: one operand of an addition; the addition gives way to its other operand.
   * `layer`: a layer whose output has the shape of its input; its input stands in for it.
   * `block`: a branch that mixes tokens and the branch behind it, with what normalises their sums; its input stands in.
   */
  readonly kind: "branch" | "layer" | "block";
  /** The tensor that disappears, and the tensor that its readers read instead. */
  readonly output: string;
  readonly replacement: string;
  /** Score: D_res = E‖compared‖ / (‖replacement‖ + 1e-6) for a branch, E‖compared - replacement‖ / … else. */
  readonly compared: string;
  /** Nodes that go. */
  readonly nodes: readonly string[];
  /** Their multiply-accumulates at batch 1. */
  readonly macs: number;
}

/** Nodes that only `tensor` needs: they can go when `reader` reads `kept` (whose ancestors are given) instead of it. */
function exclusiveNodes(view: GraphView, tensor: string, reader: Node, kept: ReadonlySet<string>): Node[] {
  const gone = new Set<string>([reader.name]);
  const nodes: Node[] = [];
  const pending = [tensor];
  while (pending.length > 0) {
    const name = pending.pop()!;
    const node = view.producer(name);
    if (!node || gone.has(node.name)) continue;
    const needed = (o: string): boolean =>
      kept.has(o) || view.isOutput(o) || view.consumers(o).some((c) => !gone.has(c.name));
    if (node.outputs.some(needed)) continue;
    gone.add(node.name);
    nodes.push(node);
    // A tensor with two readers inside the unit is looked at for each of them; the last one decides.
    pending.push(...node.inputs);
  }
  return nodes;
}

/** Names of all tensors that `tensor` is computed from, itself included. */
function ancestors(view: GraphView, tensor: string): Set<string> {
  const seen = new Set<string>();
  const pending = [tensor];
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (seen.has(name)) continue;
    seen.add(name);
    pending.push(...(view.producer(name)?.inputs ?? []).filter((t) => !view.isConstant(t)));
  }
  return seen;
}

function macsOf(view: GraphView, nodes: readonly Node[]): number {
  const types = (names: readonly string[]) => names.map((t) => view.tensor(t).type);
  return nodes.reduce((s, n) => s + getOp(n.op).cost(types(n.inputs), types(n.outputs), n.attrs).macs, 0);
}

function branches(view: GraphView): Unit[] {
  const units: Unit[] = [];
  for (const node of view.graph.nodes) {
    if (node.op !== "add") continue;
    const [a, b] = node.inputs as [string, string];
    if (a === b || view.isConstant(a) || view.isConstant(b)) continue;
    const output = node.outputs[0]!;
    const { shape } = view.tensor(output).type;
    if (!sameShape(view.tensor(a).type.shape, shape) || !sameShape(view.tensor(b).type.shape, shape)) continue;
    // A residual: both operands come from one tensor. Two unrelated streams that meet are no unit.
    const fromA = ancestors(view, a);
    const fromB = ancestors(view, b);
    if (![...fromB].some((t) => fromA.has(t))) continue;
    const options = [a, b].map((branch): Unit => {
      const nodes = exclusiveNodes(view, branch, node, branch === a ? fromB : fromA);
      return {
        name: `branch:${node.name}`,
        kind: "branch",
        output,
        replacement: branch === a ? b : a,
        compared: branch,
        nodes: [...nodes.map((n) => n.name), node.name],
        macs: macsOf(view, nodes),
      };
    });
    // The operand that costs more is the branch; the other is the shortcut.
    const unit = options[0]!.macs >= options[1]!.macs ? options[0]! : options[1]!;
    if (unit.macs > 0) units.push(unit);
  }
  return units;
}

/** The result of a normalisation that is all that reads a tensor, or the tensor. */
function normalised(view: GraphView, tensor: string): string {
  const next = view.soleConsumer(tensor);
  return next?.op === "layer_norm" ? next.outputs[0]! : tensor;
}

/** Pairs of branches of which the second starts where the first ends: attention and what follows it. */
function blocks(view: GraphView, units: readonly Unit[]): Unit[] {
  const mixes = ({ nodes }: Unit): boolean =>
    nodes.some((name) => view.graph.nodes.some((node) => node.name === name && node.op === "attention"));
  return units.flatMap((first): Unit[] => {
    const joined = normalised(view, first.output);
    const second = units.find((u) => u.replacement === joined && u !== first);
    if (!second || !mixes(first) || mixes(second)) return [];
    // Normalised in front of the branches, a block ends with its sum; behind them, with the normalisation of it.
    const output = joined === first.output ? second.output : normalised(view, second.output);
    if (view.isOutput(output)) return [];
    const between = [first.output, second.output]
      .map((tensor) => view.soleConsumer(tensor))
      .filter((node): node is Node => node?.op === "layer_norm" && [joined, output].includes(node.outputs[0]!));
    return [
      {
        name: `block:${second.name.slice("branch:".length)}`,
        kind: "block",
        output,
        replacement: first.replacement,
        compared: output,
        nodes: [...new Set([...first.nodes, ...second.nodes, ...between.map((node) => node.name)])],
        macs: first.macs + second.macs,
      },
    ];
  });
}

function layers(view: GraphView): Unit[] {
  const units: Unit[] = [];
  for (const p of producersOf(view.graph, view)) {
    const input = p.node.inputs[0]!;
    const output = p.activated;
    if (view.isConstant(input) || !sameShape(view.tensor(input).type.shape, view.tensor(output).type.shape)) continue;
    // What an attention reads and what reads it are parts of one branch, not layers that a copy could stand in for.
    if (p.heads || view.producer(input)?.op === "attention") continue;
    if (view.isOutput(output)) continue;
    const nodes = [p.node, p.norm, p.activation].filter((n): n is Node => n !== null);
    units.push({
      name: `layer:${p.node.name}`,
      kind: "layer",
      output,
      replacement: input,
      compared: output,
      nodes: nodes.map((n) => n.name),
      macs: macsOf(view, nodes),
    });
  }
  return units;
}

/** Every removable unit: residual branches, pairs of them that make a block, and layers that preserve the shape, in graph order. */
export function removableUnits(graph: Graph): Unit[] {
  const view = viewOf(graph);
  const residual = branches(view);
  return [...residual, ...blocks(view, residual), ...layers(view)];
}
