import { graphCost } from "../analyzer/cost.js";
import { predictLatency } from "../analyzer/latency.js";
import type { Split } from "../model/dataset.js";
import { foldBatchNorm } from "../model/passes/index.js";
import type { Graph } from "../model/types.js";
import type { RunStore } from "./checkpoint.js";
import type { Engine } from "./engine.js";
import type { Figures } from "./ledger.js";
import type { ResolvedOptions } from "./options.js";
import type { RecoveryContext, StepProgress } from "./recovery.js";
import type { PruneState, Snapshot } from "./state.js";

/** What the steps of one run share; constant while the run lasts. */
export interface PruneContext {
  readonly engine: Engine;
  readonly options: ResolvedOptions;
  readonly calibration: Split;
  readonly validation: Split;
  readonly recovery: RecoveryContext;
  readonly store: RunStore;
  /** Channels of each layer of the dense network, by node name. */
  readonly originalChannels: ReadonlyMap<string, number>;
  load(snapshot: Pick<Snapshot, "graph">): Promise<Graph>;
  /** Seed of the step about to be made: a function of the user's seed, the phase and the length of the ledger. */
  seedOf(state: PruneState, phase: string): number;
  progress(message: string): void;
  readonly onTraining: StepProgress;
}

/** The graph as it will be emitted: batch norms folded into the layers before them. */
export function foldedGraph(graph: Graph): Graph {
  return foldBatchNorm(graph);
}

/** MACs as `costFigures` tells them. */
export function foldedMacs(graph: Graph): number {
  return graphCost(foldedGraph(graph)).macs;
}

/** Figures of a graph; batch norms count as folded, as the emitted network has them. */
export function costFigures(
  graph: Graph,
  options: Pick<ResolvedOptions, "profile" | "channelMultiple">,
): Omit<Figures, "accuracy"> {
  const folded = foldedGraph(graph);
  const cost = graphCost(folded);
  return {
    macs: cost.macs,
    params: cost.params,
    bytes: cost.weightBytes,
    predictedMs: predictLatency(folded, options.profile).ms,
  };
}

/** Cost and validation accuracy of a graph. */
export async function figuresOf(graph: Graph, context: PruneContext): Promise<Figures> {
  const { accuracy } = await context.engine.evaluate(graph, context.validation);
  return { ...costFigures(graph, context.options), accuracy };
}

/** FNV-1a over the parts: a seed that depends on each of them. */
export function mixSeed(seed: number, ...parts: (string | number)[]): number {
  let h = 0x811c9dc5 ^ seed;
  for (const ch of parts.join("|")) {
    h = Math.imul(h ^ ch.charCodeAt(0), 0x01000193);
  }
  return h >>> 0;
}
