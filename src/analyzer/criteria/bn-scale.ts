import { defineCriterion } from "../criterion.js";

/**
 * |gamma| of the batch norm behind the layer (Liu et al. 2017, network slimming).
 * A layer without batch norm has no opinion: its channels score 0 and the other members of the group decide.
 */
export const bnScale = defineCriterion({
  name: "bn-scale",
  summary: "absolute batch-norm scale (network slimming)",
  source: "Liu et al. 2017, network slimming",
  needsFlow: false,
  normaliser: "group-mean",
  score({ graph, producer }) {
    if (!producer.norm) return new Float64Array(producer.channels);
    const gamma = graph.tensors.get(producer.norm.inputs[1]!)!.data as Float32Array;
    return Float64Array.from(gamma, Math.abs);
  },
});
