import { defineCriterion } from "../criterion.js";
import { forEachWeight } from "../producers.js";

/** Sum of absolute weights of the filter, unfolded (Li et al. 2017, "Pruning filters for efficient ConvNets"). */
export const l1 = defineCriterion({
  name: "l1",
  summary: "sum of absolute weights",
  source: "Li et al. 2017",
  needsFlow: false,
  normaliser: "group-mean",
  score({ graph, producer }) {
    const sums = new Float64Array(producer.channels);
    forEachWeight(graph, producer, (c, w) => {
      sums[c]! += Math.abs(w);
    });
    return sums;
  },
});
