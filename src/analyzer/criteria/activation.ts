import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { headScores } from "../producers.js";

/** One factor of the divergence alone: E_x ‖act[c]‖₂. An ablation. */
export const activation = defineCriterion({
  name: "activation",
  summary: "activation norm alone (ablation of divergence)",
  source: "ablation",
  needsFlow: true,
  normaliser: "cp",
  score({ producer, flow }) {
    const stats = flow?.tensors.get(producer.activated);
    invariant(stats, `activation: no statistics of ${producer.activated}`);
    return producer.heads ? headScores(producer, (h) => stats.headNorm[h]!) : Float64Array.from(stats.norm);
  },
});
