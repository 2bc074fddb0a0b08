import { defineCriterion } from "../criterion.js";
import { weightNorms } from "../producers.js";

/** The other factor of the divergence alone: ‖Ŵ[c]‖₂, batch norm folded. An ablation. */
export const weight = defineCriterion({
  name: "weight",
  summary: "folded weight norm alone (ablation of divergence)",
  source: "ablation",
  needsFlow: false,
  normaliser: "group-mean",
  score: ({ graph, producer }) => weightNorms(graph, producer, true),
});
