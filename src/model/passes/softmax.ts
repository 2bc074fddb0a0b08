import type { Graph, Node } from "../types.js";
import { rewrite, type Replacement, type View } from "./rewrite.js";

/** Recognises e / sum(e) with e = exp(x - max(x)) or exp(x), along one axis. */
export function recogniseSoftmax(graph: Graph): Graph {
  return rewrite(graph, new Set(["div", "mul"]), (node, view) => {
    const [a, b] = node.inputs as [string, string];
    if (node.op === "div") return quotient(a, b, view);
    for (const [e, inverse] of [
      [a, b],
      [b, a],
    ] as const) {
      const reciprocal = view.maker(inverse, "reciprocal");
      const found = reciprocal && quotient(e, reciprocal.inputs[0]!, view);
      if (found) return found;
    }
    return null;
  });
}

function quotient(e: string, sum: string, view: View): Replacement | null {
  const power = view.maker(e, "exp");
  const total = view.maker(sum, "reduce_sum");
  const axis = total && keptAxis(total);
  if (!power || total?.inputs[0] !== e || axis === null) return null;
  const [exponent] = power.inputs as [string];
  const shifted = view.maker(exponent, "sub");
  const largest = shifted && view.maker(shifted.inputs[1]!, "reduce_max");
  const stable = largest && largest.inputs[0] === shifted.inputs[0] && keptAxis(largest) === axis;
  return { op: "softmax", inputs: [stable ? shifted.inputs[0]! : exponent], attrs: { axis } };
}

/** The only axis of a reduction that keeps its place. */
function keptAxis({ attrs }: Node): number | null {
  const { axes, keepDims } = attrs as { axes: number[]; keepDims: boolean };
  return keepDims && axes.length === 1 ? axes[0]! : null;
}
