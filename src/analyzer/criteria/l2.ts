import { defineCriterion } from "../criterion.js";
import { forEachWeight } from "../producers.js";

/** Sum of squared weights of the filter, unfolded. */
export const l2 = defineCriterion({
  name: "l2",
  summary: "sum of squared weights",
  source: "common practice",
  needsFlow: false,
  normaliser: "group-mean",
  score({ graph, producer }) {
    const sums = new Float64Array(producer.channels);
    forEachWeight(graph, producer, (c, w) => {
      sums[c]! += w * w;
    });
    return sums;
  },
});
