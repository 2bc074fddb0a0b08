/** Equality of graphs up to the names of tensors, nodes and ports and the order of nodes. */
import { producerOf, tensorOf } from "./graph.js";
import { showType } from "./ops/shared/checks.js";
import type { Graph, Node, TensorData } from "./types.js";

/**
 * What tells two graphs apart, in one sentence, or null when they compute the same by the same nodes on the same
 * constants (bit by bit). Ports are compared by position; nodes that no output needs and quantisation notes are ignored.
 */
export function equalGraphs(a: Graph, b: Graph): string | null {
  if (a.inputs.length !== b.inputs.length) return `${a.inputs.length} inputs against ${b.inputs.length}`;
  if (a.outputs.length !== b.outputs.length) return `${a.outputs.length} outputs against ${b.outputs.length}`;
  const makers = [producerOf(a), producerOf(b)] as const;
  const inputIndex = new Map(a.inputs.map((p, i) => [p.tensor, i]));
  const nodePairs = new Map<Node, Node>();
  const reverse = new Map<Node, Node>();
  const stack: [string, string][] = [];
  a.inputs.forEach((p, i) => stack.push([p.tensor, b.inputs[i]!.tensor]));
  a.outputs.forEach((p, i) => stack.push([p.tensor, b.outputs[i]!.tensor]));

  while (stack.length > 0) {
    const [s, t] = stack.pop()!;
    const ta = tensorOf(a, s);
    const tb = tensorOf(b, t);
    const here = `"${s}" against "${t}"`;
    if (showType(ta.type) !== showType(tb.type)) return `${here}: ${showType(ta.type)} against ${showType(tb.type)}`;
    if (ta.data || tb.data) {
      if (!ta.data || !tb.data) return `${here}: only one is a constant`;
      if (!sameBits(ta.data, tb.data)) return `${here}: the constants differ`;
      continue;
    }
    const na = makers[0].get(s);
    const nb = makers[1].get(t);
    if (!na || !nb) {
      if (na || nb) return `${here}: only one is an input`;
      const i = inputIndex.get(s)!;
      if (b.inputs[i]!.tensor !== t) return `${here}: different inputs`;
      continue;
    }
    if (na.outputs.indexOf(s) !== nb.outputs.indexOf(t)) return `${here}: different outputs of their nodes`;
    const pair = nodePairs.get(na);
    if (pair !== undefined || reverse.has(nb)) {
      if (pair !== nb) return `${here}: node "${na.name}" stands for two nodes of the other graph`;
      continue;
    }
    nodePairs.set(na, nb);
    reverse.set(nb, na);
    const nodes = `node "${na.name}" against "${nb.name}"`;
    if (na.op !== nb.op) return `${nodes}: ${na.op} against ${nb.op}`;
    if (!sameValue(na.attrs, nb.attrs))
      return `${nodes} (${na.op}): ${JSON.stringify(na.attrs)} against ${JSON.stringify(nb.attrs)}`;
    if (na.inputs.length !== nb.inputs.length)
      return `${nodes}: ${na.inputs.length} inputs against ${nb.inputs.length}`;
    na.inputs.forEach((name, i) => stack.push([name, nb.inputs[i]!]));
  }
  return null;
}

function sameBits(a: TensorData, b: TensorData): boolean {
  if (a.byteLength !== b.byteLength) return false;
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

/** Deep equality of attribute values. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((k) => sameValue((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k]))
  );
}
