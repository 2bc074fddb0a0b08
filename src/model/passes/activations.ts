import type { Graph, Node } from "../types.js";
import { boundsOf } from "./bounds.js";
import { affineOf, polynomialOf, productsOf } from "./formulas.js";
import { near, rewrite, type Replacement, type View } from "./rewrite.js";

const OPS = new Set(["mul", "add", "sub", "clip", "relu6", "reciprocal"]);

/** Operators in the gates of the products below. */
const GATES = ["erf", "tanh", "sigmoid"];
const BOUNDED = ["clip", "relu6"];

const SLOPE = Math.sqrt(2 / Math.PI);
const CUBE = 0.044715;

/**
 * Recognises activations that files write out: sigmoid, hard_sigmoid, and x times a gate: silu, hard_swish, gelu in both
 * forms; in every order of operands and every place of the constants.
 */
export function recogniseActivations(graph: Graph): Graph {
  return rewrite(graph, OPS, (node, view) => {
    if (node.op === "reciprocal") return sigmoid(node, view);
    return (node.op === "mul" ? gated(node, view) : null) ?? hardSigmoid(node, view);
  });
}

/** 1 / (1 + e^-x). */
function sigmoid(node: Node, view: View): Replacement | null {
  const sum = affineOf(view, node.inputs[0]!);
  const power = view.maker(sum.base, "exp");
  if (!power || sum.scale !== 1 || sum.shift !== 1) return null;
  const exponent = affineOf(view, power.inputs[0]!, 1);
  return exponent.scale === -1 && exponent.shift === 0 ? { op: "sigmoid", inputs: [exponent.base] } : null;
}

function gated(node: Node, view: View): Replacement | null {
  for (const { factors, scale } of productsOf(view, node.outputs[0]!)) {
    for (const [x, gate] of [factors, [factors[1], factors[0]]] as const) {
      const found = x === gate ? null : gateOf(view, x, gate, scale);
      if (found) return { inputs: [x], ...found };
    }
  }
  return null;
}

/** The operator that is x * factor * gate. */
function gateOf(view: View, x: string, gate: string, factor: number): Omit<Replacement, "inputs"> | null {
  const { base, ...affine } = affineOf(view, gate);
  const scale = affine.scale * factor;
  const shift = affine.shift * factor;
  const node = view.maker(base, ...GATES, ...BOUNDED, "hard_sigmoid");
  if (!node) return null;
  if (!GATES.includes(node.op)) {
    const step = stepOf(node, view, scale, shift);
    return step?.x === x && near(step.alpha, 1 / 6) && near(step.beta, 1 / 2) ? { op: "hard_swish" } : null;
  }
  const inner = polynomialOf(view, node.inputs[0]!, x);
  if (!inner) return null;
  const is = (...wanted: readonly number[]): boolean => [0, 1, 2, 3].every((i) => near(inner[i] ?? 0, wanted[i] ?? 0));
  const half = near(scale, 0.5) && near(shift, 0.5);
  const whole = near(scale, 1) && shift === 0;
  // 0.5 * (1 + tanh(z)) = sigmoid(2 z)
  if ((node.op === "sigmoid" && whole && is(0, 1)) || (node.op === "tanh" && half && is(0, 0.5))) return { op: "silu" };
  if (node.op === "erf" && half && is(0, Math.SQRT1_2)) return { op: "gelu", attrs: { approximate: "none" } };
  const bent =
    (node.op === "tanh" && half && is(0, SLOPE, 0, SLOPE * CUBE)) ||
    (node.op === "sigmoid" && whole && is(0, 2 * SLOPE, 0, 2 * SLOPE * CUBE));
  return bent ? { op: "gelu", attrs: { approximate: "tanh" } } : null;
}

interface Step {
  readonly x: string;
  readonly alpha: number;
  readonly beta: number;
}

/** scale * node + shift as max(0, min(1, alpha * x + beta)). */
function stepOf(node: Node, view: View, scale: number, shift: number): Step | null {
  if (node.op === "hard_sigmoid") {
    const { alpha, beta } = node.attrs as { alpha: number; beta: number };
    return near(scale, 1) && shift === 0 ? { x: node.inputs[0]!, alpha, beta } : null;
  }
  const bounds = boundsOf(node, view);
  if (!bounds || !(scale > 0)) return null;
  const low = scale * bounds.low + shift;
  // Exact zero or what rounding leaves of it.
  if (!near(scale * bounds.high + shift, 1) || Math.abs(low) > 1e-6) return null;
  const inner = affineOf(view, bounds.x);
  return { x: inner.base, alpha: scale * inner.scale, beta: scale * inner.shift + shift };
}

function hardSigmoid(node: Node, view: View): Replacement | null {
  const { base, scale, shift } = affineOf(view, node.outputs[0]!);
  const limit = view.maker(base, ...BOUNDED);
  const step = limit && stepOf(limit, view, scale, shift);
  if (!step || step.x === node.inputs[0] || view.type(step.x).dtype !== "f32") return null;
  return { op: "hard_sigmoid", inputs: [step.x], attrs: { alpha: step.alpha, beta: step.beta } };
}
