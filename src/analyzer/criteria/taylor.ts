import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { meanOverSlices } from "../group-weights.js";

/**
 * First-order change of the loss when a channel's weights become zero: mean over the coupled weights of Σ |g · w|, g the
 * mean gradient of the labels' cross entropy over calibration samples (Molchanov et al. 2019, "Importance estimation for
 * neural network pruning", with coupled weights as in DepGraph).
 */
export const taylor = defineCriterion({
  name: "taylor",
  summary: "gradient times weight, over everything coupled to the channel (first-order Taylor)",
  source: "Molchanov et al. 2019",
  needsFlow: false,
  needsGradients: true,
  normaliser: "group-mean",
  scoreGroup({ graph, group, gradients }) {
    invariant(gradients, "taylor: no gradients");
    return meanOverSlices(graph, group, (tensor, w) => {
      const g = gradients.get(tensor);
      return g ? (i) => Math.abs(w[i]! * g[i]!) : null;
    });
  },
});
