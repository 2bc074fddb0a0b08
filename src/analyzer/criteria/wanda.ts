import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { weightSlices } from "../group-weights.js";

/**
 * What the readers of a channel make of it: Σ |W| over the weights that read it, times the root mean square of the
 * channel on calibration samples, summed over all readers (Sun et al. 2024, "A simple and effective pruning approach for
 * large language models", taken per channel). The only criterion here that looks at nothing but the consumers.
 */
export const wanda = defineCriterion({
  name: "wanda",
  summary: "absolute weights of the readers times the size of what they read (Wanda, per channel)",
  source: "Sun et al. 2024, per channel",
  needsFlow: true,
  readsInputs: true,
  normaliser: "group-mean",
  scoreGroup({ graph, group, flow }) {
    invariant(flow, "wanda: no statistics");
    const scores = new Float64Array(group.atoms.length);
    for (const { atom, node, tensor, side, index, each } of weightSlices(graph, group)) {
      const read = side === "in" ? flow.tensors.get(node.inputs[0]!) : undefined;
      if (!read || index >= read.channels) continue;
      const w = graph.tensors.get(tensor)!.data as Float32Array;
      let sum = 0;
      each((i) => (sum += Math.abs(w[i]!)));
      scores[atom]! += sum * Math.sqrt(read.meanSquare[index]!);
    }
    return scores;
  },
});
