/** How far tensors of a graph may be from their exact values: each operator's own bound, carried to what reads it. */
import { bounds } from "../../host/support.js";
import type { NdArray } from "../../../src/model/define-op.js";
import { getOp } from "../../../src/model/ops/index.js";
import type { Random } from "../../../src/model/random.js";
import { shapeAt, type Graph, type Node } from "../../../src/model/types.js";

/** What every executor may be from exact at one node, given the node's own operands. */
export function localBounds(
  graph: Graph,
  node: Node,
  operands: readonly NdArray[],
  results: readonly NdArray[],
  batch: number,
): Float64Array[] {
  const inputs = node.inputs.map((name) => graph.tensors.get(name)!.type);
  return bounds({ title: node.name, op: node.op, attrs: node.attrs, inputs }, operands, results, batch);
}

/** The exact results of a node on these operands, with their dtypes. */
export function evaluateNode(graph: Graph, node: Node, operands: readonly NdArray[], batch: number): NdArray[] {
  const types = node.outputs.map((name) => graph.tensors.get(name)!.type);
  const shapes = types.map((type) => shapeAt(type, batch));
  return getOp(node.op)
    .reference(operands, node.attrs, shapes)
    .map((array, i) => ({ ...array, dtype: types[i]!.dtype }));
}

/** Results of these change by whole steps where an operand changes by a rounding. */
const JUMPS = new Set(["ceil", "fake_quantize", "floor", "floor_div", "floor_mod", "mod_trunc", "round", "sign"]);

/** A sum of many disturbances may, by chance, be smaller than that of as many roundings: of a few draws, by less than this. */
const CHANCE = 4;

export interface Propagated {
  /** For each tensor how far any element may be from exact. */
  readonly allowed: ReadonlyMap<string, number>;
  /** Tensors that hang on a decision that roundings within their bounds may turn. */
  readonly undecided: ReadonlySet<string>;
}

/**
 * Errors of all nodes carried through the graph: each node's result is disturbed by its own bound, in directions drawn at
 * random, and what comes of that at every tensor after it is added up. Slopes are thus those of the operators themselves.
 * @param nodes in topological order
 * @param values exact values of every tensor
 */
export function propagate(
  graph: Graph,
  nodes: readonly Node[],
  values: ReadonlyMap<string, NdArray>,
  batch: number,
  random: Random,
): Propagated {
  const total = new Map<string, number>();
  const undecided = new Set<string>();
  nodes.forEach((source, i) => {
    const operands = source.inputs.map((name) => values.get(name)!);
    const results = source.outputs.map((name) => values.get(name)!);
    const local = localBounds(graph, source, operands, results, batch);
    // The offset that stands for subnormal numbers is none worth following.
    if (local.every((list) => list.every((b) => b < 1e-28))) return;
    const disturbed = new Map<string, NdArray>();
    source.outputs.forEach((name, k) => {
      const { data, ...rest } = results[k]!;
      const moved = data.map((v, p) => (local[k]![p]! < 1e-28 ? v : v + (random.int(2) ? 1 : -1) * local[k]![p]!));
      disturbed.set(name, { ...rest, data: moved });
      raise(total, name, furthest(moved, data));
    });
    for (const node of nodes.slice(i + 1)) {
      if (!node.inputs.some((name) => disturbed.has(name))) continue;
      const inputs = node.inputs.map((name) => disturbed.get(name) ?? values.get(name)!);
      evaluateNode(graph, node, inputs, batch).forEach((result, k) => {
        const name = node.outputs[k]!;
        const exact = values.get(name)!;
        const distance = furthest(result.data, exact.data);
        if (distance === 0) return;
        disturbed.set(name, result);
        raise(total, name, distance);
        const jumps = JUMPS.has(node.op) && !(distance < 1e-3 * largest(exact.data));
        if (result.dtype !== "f32" || jumps) undecided.add(name);
      });
    }
  });
  for (const node of nodes) {
    if (node.inputs.some((name) => undecided.has(name))) node.outputs.forEach((name) => undecided.add(name));
  }
  const allowed = new Map([...total].map(([name, distance]) => [name, CHANCE * distance]));
  return { allowed, undecided };
}

function raise(total: Map<string, number>, name: string, by: number): void {
  total.set(name, (total.get(name) ?? 0) + by);
}

function furthest(a: ArrayLike<number>, b: Float64Array): number {
  return b.reduce((m, v, i) => Math.max(m, Math.abs(a[i]! - v)), 0);
}

function largest(data: Float64Array): number {
  return data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
}
