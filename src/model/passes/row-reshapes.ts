import type { Graph, Node } from "../types.js";
import { sameShape } from "../types.js";
import { rewrite, type Replacement, type View } from "./rewrite.js";

/** Operators on the values of one row, that is the last axis, or on single values. */
const ROW_WISE = new Set([
  ...["dense", "batch_norm", "layer_norm"],
  ...[
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "hard_swish",
    "hard_sigmoid",
    "erf",
    "elu",
    "leaky_relu",
    "exp",
  ],
]);
const SUMS = new Set(["add", "sub", "mul"]);

/**
 * Reshapes that regroup rows wait until an operator needs them: one in front of row-wise work goes behind it, where it
 * often meets the one that takes it back. Exporters flatten [batch, tokens, features] for every dense layer and every
 * normalisation, and activations then stand apart from the layer that they belong to.
 */
export function delayRowReshapes(graph: Graph): Graph {
  // One step at a time, as far as the work goes: what follows a dense layer only then sees its result.
  let current = graph;
  for (let before = null as Graph | null; current !== before;) {
    before = current;
    current = delayed(current);
  }
  return current;
}

function delayed(graph: Graph): Graph {
  return rewrite(graph, new Set([...ROW_WISE, ...SUMS]), (node, view) => {
    return SUMS.has(node.op) ? behindSum(node, view) : behindRows(node, view);
  });
}

/** The reshape in front of a tensor that leaves its rows whole and has no other reader. */
function rowReshape(name: string, view: View): Node | null {
  const node = view.maker(name, "reshape");
  if (!node || !view.usedOnce(name)) return null;
  const [from, to] = [view.type(node.inputs[0]!).shape, view.type(name).shape];
  return from.length > 0 && from.at(-1) === to.at(-1) ? node : null;
}

function behindRows(node: Node, view: View): Replacement | null {
  const [x, ...parameters] = node.inputs as [string];
  const reshape = rowReshape(x, view);
  if (!reshape || !parameters.every((name) => view.constant(name))) return null;
  const from = view.type(reshape.inputs[0]!).shape;
  const last = view.type(x).shape.length - 1;
  if (node.op === "layer_norm" && node.attrs.axis !== last) return null;
  const attrs = node.op === "layer_norm" ? { ...node.attrs, axis: from.length - 1 } : node.attrs;
  const inner = { op: node.op, inputs: [reshape.inputs[0]!, ...parameters], attrs };
  return {
    op: "reshape",
    inputs: [inner],
    attrs: { shape: withLast(reshape, view.type(node.outputs[0]!).shape.at(-1)!) },
  };
}

/** A dense layer may have another number of features. */
function withLast({ attrs }: Node, features: number): number[] {
  const shape = attrs.shape as number[];
  return [...shape.slice(0, -1), shape.at(-1) === -1 ? -1 : features];
}

/** Both operands regrouped alike, or one that is regrouped and a number or one row. */
function behindSum(node: Node, view: View): Replacement | null {
  const sources = node.inputs.map((name) => rowReshape(name, view));
  const [a, b] = sources;
  if (a && b && node.inputs[0] !== node.inputs[1]) {
    const [p, q] = [view.type(a.inputs[0]!), view.type(b.inputs[0]!)];
    const alike = sameShape(p.shape, q.shape) && p.batchAxis === q.batchAxis;
    if (!alike || !sameShape(view.type(node.inputs[0]!).shape, view.type(node.inputs[1]!).shape)) return null;
    const inner = { op: node.op, inputs: [a.inputs[0]!, b.inputs[0]!], attrs: node.attrs };
    return { op: "reshape", inputs: [inner], attrs: a.attrs };
  }
  const at = sources.findIndex((source) => source !== null);
  const other = node.inputs[1 - at];
  if (at < 0 || other === undefined || !view.constant(other) || view.type(other).shape.length > 1) return null;
  const inputs = node.inputs.map((name, i) => (i === at ? sources[at]!.inputs[0]! : name));
  return { op: "reshape", inputs: [{ op: node.op, inputs, attrs: node.attrs }], attrs: sources[at]!.attrs };
}
