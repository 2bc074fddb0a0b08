import type { Graph, Node } from "../types.js";
import { rewrite, type Replacement, type View } from "./rewrite.js";

/** Both ends of what a value is limited to. */
export interface Bounds {
  readonly x: string;
  readonly low: number;
  readonly high: number;
}

const OPS = new Set(["min", "max", "clip", "relu", "relu6"]);

/** Minima and maxima with a constant become clip, clips of clips one, and those from 0, and from 0 to 6, relu and relu6. */
export function recogniseBounds(graph: Graph): Graph {
  return rewrite(graph, OPS, (node, view) => {
    const outer = boundsOf(node, view);
    if (!outer) return null;
    const before = view.maker(outer.x, ...OPS);
    const inner = before && view.usedOnce(outer.x) ? boundsOf(before, view) : null;
    const bounds = inner && inner.low <= inner.high && outer.low <= outer.high ? nested(inner, outer) : outer;
    const best = bounded(bounds, view);
    return bounds.x === node.inputs[0] && best.op === node.op ? null : best;
  });
}

/** The ends that a node sets to its operand, if that is what it does. */
export function boundsOf(node: Node, view: View): Bounds | null {
  const [a, b] = node.inputs as [string, string?];
  switch (node.op) {
    case "relu":
      return { x: a, low: 0, high: Infinity };
    case "relu6":
      return { x: a, low: 0, high: 6 };
    case "clip": {
      const { min, max } = node.attrs as { min: number | null; max: number | null };
      return { x: a, low: min ?? -Infinity, high: max ?? Infinity };
    }
    case "min":
    case "max": {
      const [x, limit] = view.constant(a) ? [b!, a] : [a, b!];
      const data = view.constant(limit);
      if (view.constant(x) || data?.length !== 1 || typeof data[0] !== "number") return null;
      return node.op === "min" ? { x, low: -Infinity, high: data[0] } : { x, low: data[0], high: Infinity };
    }
    default:
      return null;
  }
}

function nested(inner: Bounds, { low, high }: Bounds): Bounds {
  const within = (v: number): number => Math.min(Math.max(v, low), high);
  return { x: inner.x, low: within(inner.low), high: within(inner.high) };
}

function bounded({ x, low, high }: Bounds, view: View): Replacement {
  const float = view.type(x).dtype === "f32";
  if (float && low === 0 && high === Infinity) return { op: "relu", inputs: [x] };
  if (float && low === 0 && high === 6) return { op: "relu6", inputs: [x] };
  const end = (v: number): number | null => (Number.isFinite(v) ? v : null);
  return { op: "clip", inputs: [x], attrs: { min: end(low), max: end(high) } };
}
