import { defineCriterion } from "../criterion.js";
import { meanOverSlices } from "../group-weights.js";

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
  scoreGroup: ({ graph, group }) => meanOverSlices(graph, group, (_, w) => (i) => w[i]! ** 2),
});
