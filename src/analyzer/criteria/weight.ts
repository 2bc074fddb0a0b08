import { defineCriterion } from "../criterion.js";
import { headScores, headWeights, weightNorms } from "../producers.js";

/** The other factor of the divergence alone: ‖Ŵ[c]‖₂, batch norm folded. An ablation. */
export const weight = defineCriterion({
  name: "weight",
  summary: "folded weight norm alone (ablation of divergence)",
  source: "ablation",
  needsFlow: false,
  normaliser: "group-mean",
  score({ graph, producer }) {
    if (!producer.heads) return weightNorms(graph, producer, true);
    const weights = headWeights(graph, producer);
    return headScores(producer, (h) => weights[h]!);
  },
});
