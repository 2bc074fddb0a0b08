import type { TrainOptions } from "../host/train.js";
import type { Split } from "../model/dataset.js";
import type { Graph } from "../model/types.js";
import { viewOf } from "../analyzer/view.js";
import type { Flow } from "../analyzer/flow.js";
import type { Unit } from "../analyzer/units.js";
import type { Engine } from "./engine.js";
import { matchingOf, type KeptChannels } from "./match.js";
import type { ResolvedOptions } from "./options.js";
import { mirrored, sampled } from "./splits.js";

/** What every recovery of one build shares. */
export interface RecoveryContext {
  readonly engine: Engine;
  /** The dense network: the only teacher of the distillation. */
  readonly dense: Graph;
  readonly train: Split;
  readonly options: ResolvedOptions;
  /** Statistics of the dense network's match points on the calibration split. */
  readonly flow: Flow;
  /** Settled once by `chooseAugmentation`. */
  readonly augment: "none" | "shift-flip";
}

export type StepProgress = NonNullable<TrainOptions["onStep"]>;

/** Points of accuracy that mirroring may cost the dense network before augmentation is given up. */
const MIRROR_LOSS = 0.02;

/**
 * Whether shifted and mirrored copies are still examples of their class. The dense network answers: it must be as
 * right on mirrored calibration samples as on the original ones. Digits, letters and spectrograms fail that test.
 */
export async function chooseAugmentation(
  engine: Engine,
  dense: Graph,
  calibration: Split,
  choice: ResolvedOptions["augment"],
): Promise<"none" | "shift-flip"> {
  if (choice !== "auto") return choice;
  const flipped = mirrored(calibration);
  if (!flipped || !calibration.labels) return "none";
  const plain = await engine.evaluate(dense, calibration);
  const turned = await engine.evaluate(dense, flipped);
  return plain.accuracy - turned.accuracy <= MIRROR_LOSS ? "shift-flip" : "none";
}

/**
 * What every training run shares: labels, the dense network's answers, and its values at the match points. Matching
 * carries most of the recovery: a pair says thousands of numbers about a sample where the scores say ten.
 */
function common(
  graph: Graph,
  kept: KeptChannels,
  context: RecoveryContext,
  data: Split,
  seed: number,
): Omit<TrainOptions, "epochs" | "lr"> {
  const { options, dense } = context;
  const labelled = data.labels !== null;
  const matching = options.matchWeight > 0 ? matchingOf(dense, graph, kept, context.flow) : null;
  const matched = matching !== null && matching.pairs.length > 0;
  return {
    batch: Math.min(options.batch, data.count),
    shards: options.shards,
    seed,
    optimizer: { kind: "adamw", weightDecay: options.weightDecay },
    schedule: "cosine",
    augment: context.augment,
    loss: {
      labels: labelled ? options.labelWeight : 0,
      // One graph for both uses, so that the dense network runs once for each batch.
      distill: {
        teacher: matched ? matching.teacher : dense,
        temperature: options.temperature,
        weight: labelled ? options.distillWeight : 1,
      },
    },
    ...(matched && { match: { ...matching, weight: options.matchWeight } }),
  };
}

/** Fine-tunes the whole network against labels and the dense network; without gradients only its statistics. */
export async function recover(
  graph: Graph,
  kept: KeptChannels,
  context: RecoveryContext,
  run: { epochs: number; lr: number; seed: number; samples?: number; onStep?: StepProgress },
): Promise<Graph> {
  const { engine, options } = context;
  const data = sampled(context.train, run.samples ?? options.recoverySamples, run.seed);
  const batches = Math.max(1, Math.min(8, Math.floor(data.count / options.batch)));
  if (options.oneShot || run.epochs <= 0) return engine.reestimate(graph, data, batches);
  const steps = Math.ceil(data.count / options.batch) * run.epochs;
  const trained = await engine.train(graph, data, {
    ...common(graph, kept, context, data, run.seed),
    epochs: Math.max(1, Math.ceil(run.epochs)),
    // A part of an epoch is a number of steps.
    ...(Number.isInteger(run.epochs) ? {} : { maxSteps: Math.max(1, Math.round(steps)) }),
    lr: run.lr,
    warmupSteps: Math.max(1, Math.min(50, Math.floor(steps / 20))),
    ...(run.onStep && { onStep: run.onStep }),
  });
  return engine.reestimate(trained.graph, data, batches);
}

/** Constants of the layers next to a removed unit: those that write what now stands in for it, and those that read it. */
export function neighbours(after: Graph, unit: Unit): Set<string> {
  const view = viewOf(after);
  const names = new Set<string>();
  const take = (node: { inputs: readonly string[] } | undefined): void => {
    for (const t of node?.inputs ?? []) if (view.isConstant(t)) names.add(t);
  };
  const hasWeights = (t: string): boolean => (view.producer(t)?.inputs ?? []).some(view.isConstant);
  // Backwards through activations and additions to the layers, and through their batch norms.
  const back = (tensor: string, depth: number): void => {
    const node = view.producer(tensor);
    if (!node || depth > 4) return;
    take(node);
    if (!hasWeights(tensor) || node.op === "batch_norm")
      for (const t of node.inputs) if (!view.isConstant(t)) back(t, depth + 1);
  };
  const forward = (tensor: string, depth: number): void => {
    for (const node of view.consumers(tensor)) {
      take(node);
      const weighted = node.inputs.some(view.isConstant);
      if (depth < 4 && (!weighted || view.consumers(node.outputs[0]!)[0]?.op === "batch_norm"))
        forward(node.outputs[0]!, depth + 1);
    }
  };
  back(unit.replacement, 0);
  forward(unit.replacement, 0);
  return names;
}

/** Trains only the neighbours of a removed unit, to make up for it. */
export async function recoverLocally(
  after: Graph,
  unit: Unit,
  kept: KeptChannels,
  context: RecoveryContext,
  run: { seed: number; onStep?: StepProgress },
): Promise<Graph> {
  const { engine, options } = context;
  const data = sampled(context.train, options.layerSteps * options.batch, run.seed);
  const batches = Math.max(1, Math.min(8, Math.floor(data.count / options.batch)));
  if (options.oneShot) return engine.reestimate(after, data, batches);
  const near = neighbours(after, unit);
  const trained = await engine.train(after, data, {
    ...common(after, kept, context, data, run.seed),
    epochs: 1,
    maxSteps: options.layerSteps,
    lr: options.lr,
    warmupSteps: 3,
    trainable: (name) => near.has(name),
    ...(run.onStep && { onStep: run.onStep }),
  });
  return engine.reestimate(trained.graph, data, batches);
}
