import type { Graph, Node } from "../types.js";
import { rewrite, type Replacement, type View } from "./rewrite.js";

const OPS = new Set(["max", "add", "sub", "select"]);

/**
 * Recognises activations with a slope below 0: max(x, a * x) for 0 <= a <= 1, select(x > 0, x, a * x), and
 * relu(x) + a * min(x, 0), also with -relu(-x) or (x - |x|) / 2 as the minimum. One slope gives leaky_relu, others prelu.
 */
export function recogniseSlopes(graph: Graph): Graph {
  return rewrite(graph, OPS, (node, view) => {
    switch (node.op) {
      case "max":
        return ofMaximum(node, view);
      case "select":
        return ofChoice(node, view);
      default:
        return ofParts(node, view);
    }
  });
}

/** A constant times a tensor. */
interface Scaled {
  readonly x: string;
  readonly shape: readonly number[];
  readonly slope: Float32Array;
}

function scaledOf(name: string, view: View): Scaled | null {
  const node = view.maker(name, "mul");
  if (!node) return null;
  const [a, b] = node.inputs as [string, string];
  const [x, constant] = view.constant(a) ? [b, a] : [a, b];
  const slope = view.floats(constant);
  return slope && { x, slope, shape: view.type(constant).shape };
}

function times(scaled: Scaled, k: number): Scaled {
  return { ...scaled, slope: scaled.slope.map((v) => v * k) };
}

function sloped({ x, slope, shape }: Scaled): Replacement {
  if (slope.length === 1) return { op: "leaky_relu", inputs: [x], attrs: { alpha: slope[0]! } };
  return { op: "prelu", inputs: [x, { name: "slope", shape, data: slope }] };
}

function ofMaximum(node: Node, view: View): Replacement | null {
  for (const [x, other] of bothOrders(node)) {
    const scaled = scaledOf(other, view);
    if (scaled?.x === x && scaled.slope.every((a) => a >= 0 && a <= 1)) return sloped(scaled);
  }
  return null;
}

function ofChoice(node: Node, view: View): Replacement | null {
  const [condition, a, b] = node.inputs as [string, string, string];
  const test = view.maker(condition, "greater", "greater_equal", "less", "less_equal");
  if (!test || view.scalar(test.inputs[1]!) !== 0) return null;
  const [above, below] = test.op.startsWith("greater") ? [a, b] : [b, a];
  const scaled = scaledOf(below, view);
  return test.inputs[0] === above && scaled?.x === above ? sloped(scaled) : null;
}

function ofParts(node: Node, view: View): Replacement | null {
  for (const [positive, negative] of node.op === "add" ? bothOrders(node) : [node.inputs as [string, string]]) {
    const relu = view.maker(positive, "relu");
    const part = relu && belowZero(negative, view);
    if (part && part.x === relu.inputs[0]) return sloped(node.op === "add" ? part : times(part, -1));
  }
  return null;
}

/** Products and signs deeper than this are another expression. */
const DEPTH = 4;

/** A tensor as slope * min(x, 0). */
function belowZero(name: string, view: View, depth = DEPTH): Scaled | null {
  if (depth === 0) return null;
  const negated = view.maker(name, "neg");
  if (negated) {
    const part = belowZero(negated.inputs[0]!, view, depth - 1);
    return part && times(part, -1);
  }
  const scaled = scaledOf(name, view);
  if (scaled) {
    const part = belowZero(scaled.x, view, depth - 1);
    if (part?.slope.length === 1) return times({ ...scaled, x: part.x }, part.slope[0]!);
    return part && scaled.slope.length === 1 ? times(part, scaled.slope[0]!) : null;
  }
  const one = { shape: [], slope: Float32Array.of(1) };
  const limit = view.maker(name, "clip");
  if (limit && limit.attrs.min === null && limit.attrs.max === 0) return { ...one, x: limit.inputs[0]! };
  const mirrored = view.maker(name, "relu");
  const x = mirrored && negationOf(mirrored.inputs[0]!, view);
  if (x !== null) return times({ ...one, x }, -1);
  const difference = view.maker(name, "sub");
  const size = difference && view.maker(difference.inputs[1]!, "abs");
  return size && size.inputs[0] === difference.inputs[0] ? times({ ...one, x: size.inputs[0]! }, 2) : null;
}

function negationOf(name: string, view: View): string | null {
  const node = view.maker(name, "neg");
  if (node) return node.inputs[0]!;
  const scaled = scaledOf(name, view);
  return scaled?.slope.every((v) => v === -1) ? scaled.x : null;
}

function bothOrders(node: Node): [string, string][] {
  const [a, b] = node.inputs as [string, string];
  return [
    [a, b],
    [b, a],
  ];
}
