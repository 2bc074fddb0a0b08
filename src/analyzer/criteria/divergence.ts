import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { headScores, headWeights, weightNorms } from "../producers.js";

/**
 * Information-flow divergence of a filter: E_x ‖act[c]‖₂ · ‖Ŵ[c]‖₂ (and / (C · P) by its default normaliser), with
 * act after the folded batch norm and the real activation, and Ŵ the weights with batch norm folded in.
 * Folding makes the score independent of the scale that a convolution shares with the batch norm behind it.
 * Of a layer that makes queries, keys or values the filters are heads: E_x ‖A_h‖_F · ‖Ŵ_h‖_F with A_h what the head gives
 * to the network; the sum over the three layers is the head's (§ 1.3 of the paper: D_MHA), and C is the number of heads.
 * Source: arXiv 2511.20141 and its official code, with folding and the real activation as decided in the docs.
 */
export const divergence = defineCriterion({
  name: "divergence",
  summary: "activation norm times folded weight norm, per channel and position (IDAP)",
  source: "arXiv 2511.20141, with batch norm folded and the real activation",
  needsFlow: true,
  normaliser: "cp",
  score({ graph, producer, flow }) {
    const stats = flow?.tensors.get(producer.activated);
    invariant(stats, `divergence: no statistics of ${producer.activated}`);
    if (producer.heads) {
      const weights = headWeights(graph, producer);
      return headScores(producer, (h) => weights[h]! * stats.headNorm[h]!);
    }
    return weightNorms(graph, producer, true).map((w, c) => w * stats.norm[c]!);
  },
});
