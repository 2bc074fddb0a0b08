import { defineCriterion } from "../criterion.js";
import { weightSlices } from "../group-weights.js";

/**
 * Mean over all coupled weights of the sum of squares of the channel's slice: filters that make it, batch norms that
 * scale it, and the part of every layer behind that reads it (Fang et al. 2023, "DepGraph", group magnitude with p = 2).
 */
export const groupNorm = defineCriterion({
  name: "group-norm",
  summary: "squared weights of everything coupled to the channel (DepGraph)",
  source: "Fang et al. 2023, DepGraph",
  needsFlow: false,
  normaliser: "group-mean",
  scoreGroup({ graph, group }) {
    const sums = new Float64Array(group.atoms.length);
    const members = new Float64Array(group.atoms.length);
    for (const { atom, tensor, each } of weightSlices(graph, group)) {
      const w = graph.tensors.get(tensor)!.data as Float32Array;
      let square = 0;
      each((i) => (square += w[i]! ** 2));
      sums[atom]! += square;
      members[atom]!++;
    }
    return sums.map((s, i) => s / Math.max(1, members[i]!));
  },
});
