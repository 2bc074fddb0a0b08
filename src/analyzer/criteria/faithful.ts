import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { weightNorms } from "../producers.js";

/**
 * The score as the paper's official code computes it for convolutions: E_x ‖relu(raw output)[c]‖₂ · ‖W[c]‖₂ / (C · P),
 * with the unfolded weights and the layer's output before any normalisation. For comparisons with the paper.
 */
export const faithful = defineCriterion({
  name: "faithful",
  summary: "the paper's code: relu of the raw output, unfolded weights",
  source: "official code of arXiv 2511.20141",
  needsFlow: true,
  readsRaw: true,
  normaliser: "cp",
  score({ graph, producer, flow }) {
    const stats = flow?.tensors.get(producer.raw);
    invariant(stats, `faithful: no statistics of ${producer.raw}`);
    return weightNorms(graph, producer, false).map((w, c) => w * stats.positiveNorm[c]!);
  },
});
