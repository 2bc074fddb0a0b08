import type { Graph } from "../model/types.js";
import type { Flow } from "./flow.js";
import { headWeights, weightNorms, type Producer } from "./producers.js";

/** Divergence of a whole layer in the forms of the paper; diagnostics beside the per-filter scores. */
export interface LayerDivergence {
  readonly node: string;
  /** Mean over channels of E_x ‖act[c]‖ · ‖Ŵ[c]‖ / (C · P). */
  readonly meanFilter: number;
  /** Convolution form ‖A‖_F · ‖W‖_F / (C · H · W), or for fully connected layers ‖J‖_F · ‖h‖₂ · ‖W‖_F. */
  readonly frobenius: number;
}

/**
 * Layer forms, from statistics that were gathered per channel: ‖A‖_F of a sample is taken as the square root of the
 * mean over samples of its square (the sum over channels of mean squares), which equals the mean norm up to its spread.
 * ‖J‖_F of a ReLU is the square root of the number of active units; of the identity, of all units.
 */
export function layerDivergence(graph: Graph, p: Producer, flow: Flow): LayerDivergence {
  const stats = flow.tensors.get(p.activated)!;
  if (p.heads) {
    // Its share of D_MHA, the sum over heads of ‖A_h‖_F · ‖W_h‖_F / n.
    const { count } = p.heads;
    const sum = headWeights(graph, p).reduce((total, w, h) => total + (w * stats.headNorm[h]!) / p.positions, 0);
    return { node: p.node.name, meanFilter: sum / count ** 2, frobenius: sum };
  }
  const norms = weightNorms(graph, p, true);
  let filters = 0;
  let weight = 0;
  let energy = 0;
  let active = 0;
  for (let c = 0; c < p.channels; c++) {
    filters += (stats.norm[c]! * norms[c]!) / (p.channels * p.positions);
    weight += norms[c]! ** 2;
    energy += stats.meanSquare[c]! * p.positions;
    active += p.activation ? stats.active[c]! : 1;
  }
  const a = Math.sqrt(energy);
  const w = Math.sqrt(weight);
  const dense = p.node.op === "dense" || p.node.op === "matmul";
  return {
    node: p.node.name,
    meanFilter: filters / p.channels,
    frobenius: dense ? Math.sqrt(active) * a * w : (a * w) / (p.channels * p.positions),
  };
}
