import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { weightSlices } from "../group-weights.js";

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
    const sums = new Float64Array(group.atoms.length);
    const members = new Float64Array(group.atoms.length);
    for (const { atom, tensor, each } of weightSlices(graph, group)) {
      const g = gradients.get(tensor);
      if (!g) continue;
      const w = graph.tensors.get(tensor)!.data as Float32Array;
      let sum = 0;
      each((i) => (sum += Math.abs(w[i]! * g[i]!)));
      sums[atom]! += sum;
      members[atom]!++;
    }
    return sums.map((s, i) => s / Math.max(1, members[i]!));
  },
});
