import { defineCriterion } from "../criterion.js";

/**
 * Sum of the Euclidean distances from a filter to all filters of its layer: the most replaceable go first
 * (He et al. 2019, "Filter pruning via geometric median"). O(C² · weights per filter).
 */
export const fpgm = defineCriterion({
  name: "fpgm",
  summary: "distance to the other filters of the layer (geometric median)",
  source: "He et al. 2019, geometric median",
  needsFlow: false,
  normaliser: "group-mean",
  score({ graph, producer: { weight, channels } }) {
    const w = graph.tensors.get(weight)!.data as Float32Array;
    const score = new Float64Array(channels);
    for (let a = 0; a < channels; a++) {
      for (let b = a + 1; b < channels; b++) {
        let d = 0;
        for (let i = 0; i < w.length; i += channels) d += (w[i + a]! - w[i + b]!) ** 2;
        const distance = Math.sqrt(d);
        score[a]! += distance;
        score[b]! += distance;
      }
    }
    return score;
  },
});
