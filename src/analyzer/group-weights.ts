import type { Group } from "../model/coupling.js";
import { sizeOf, type Graph, type Node } from "../model/types.js";

/** Weights that are cut with one atom: a slice of a constant along one axis. */
export interface WeightSlice {
  readonly atom: number;
  readonly node: Node;
  readonly tensor: string;
  /** `out`: the layer produces the channel (or scales it, as a batch norm does); `in`: it reads it. */
  readonly side: "out" | "in";
  /** Index of the channel on the axis. */
  readonly index: number;
  /** Calls `visit` with the position of every weight of the slice. */
  each(visit: (position: number) => void): void;
}

/** Operators whose second input is a weight; a batch norm's is its scale. */
const WEIGHTED = new Set(["conv2d", "conv_transpose2d", "depthwise_conv2d", "dense", "matmul", "batch_norm"]);

/** Every slice of every weight that goes when an atom of the group goes, in the order of the graph and of its axes. */
export function weightSlices(graph: Graph, group: Group): WeightSlice[] {
  const owners = new Map<string, Node>();
  for (const node of graph.nodes) {
    const weight = node.inputs[1];
    if (WEIGHTED.has(node.op) && weight !== undefined && graph.tensors.get(weight)!.data) owners.set(weight, node);
  }
  const slices: WeightSlice[] = [];
  for (const atom of group.atoms) {
    for (const { tensor, axis, indices } of atom.members) {
      const node = owners.get(tensor);
      if (!node) continue;
      const { shape } = graph.tensors.get(tensor)!.type;
      const inner = sizeOf(shape.slice(axis + 1));
      const extent = shape[axis]!;
      const outer = sizeOf(shape.slice(0, axis));
      const side = axis === shape.length - 1 ? "out" : "in";
      for (const index of indices) {
        const each = (visit: (position: number) => void): void => {
          for (let o = 0; o < outer; o++) {
            const start = (o * extent + index) * inner;
            for (let i = 0; i < inner; i++) visit(start + i);
          }
        };
        slices.push({ atom: atom.id, node, tensor, side, index, each });
      }
    }
  }
  return slices;
}

/** For each atom, the mean over its slices of the sum of `worth` over their weights; tensors whose worth is null do not count. */
export function meanOverSlices(
  graph: Graph,
  group: Group,
  worthOf: (tensor: string, weights: Float32Array) => ((position: number) => number) | null,
): Float64Array {
  const sums = new Float64Array(group.atoms.length);
  const members = new Float64Array(group.atoms.length);
  for (const { atom, tensor, each } of weightSlices(graph, group)) {
    const worth = worthOf(tensor, graph.tensors.get(tensor)!.data as Float32Array);
    if (!worth) continue;
    let sum = 0;
    each((i) => (sum += worth(i)));
    sums[atom]! += sum;
    members[atom]!++;
  }
  return sums.map((s, i) => s / Math.max(1, members[i]!));
}
