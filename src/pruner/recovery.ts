import type { TrainOptions } from "../host/train.js";
import type { Split } from "../model/dataset.js";
import type { Graph } from "../model/types.js";
import type { Flow } from "../analyzer/flow.js";
import type { Engine } from "./engine.js";
import { findLearningRate } from "./learning-rate.js";
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

export interface Recovered {
  readonly graph: Graph;
  /** The learning rate that was used; null where nothing was trained. */
  readonly lr: number | null;
}

/**
 * Fine-tunes a network against labels and the dense network; without gradients only its batch norms are measured anew.
 * The running statistics of the training stay: measuring them again on plain images lost half a point to a point.
 */
export async function recover(
  graph: Graph,
  kept: KeptChannels,
  context: RecoveryContext,
  run: {
    epochs: number;
    maxSteps?: number;
    /** `auto`: found by a range test on the network as it is. */
    lr: number | "auto";
    seed: number;
    samples?: number;
    cutMix?: number;
    onStep?: StepProgress;
  },
): Promise<Recovered> {
  const { engine, options } = context;
  const data = sampled(context.train, run.samples ?? options.recoverySamples, run.seed);
  // What was fitted to the dense network's values is what they should be: other statistics would move it away again.
  if (options.oneShot && options.repair) return { graph, lr: null };
  if (options.oneShot || run.epochs <= 0) {
    const batches = Math.max(1, Math.min(8, Math.floor(data.count / options.batch)));
    return { graph: await engine.reestimate(graph, data, batches), lr: null };
  }
  const steps = Math.min(run.maxSteps ?? Infinity, Math.floor(data.count / options.batch) * run.epochs);
  const shared = common(graph, kept, context, data, run.seed);
  const lr =
    run.lr === "auto"
      ? await findLearningRate(engine, graph, sampled(context.train, options.batch, run.seed), shared)
      : run.lr;
  const trained = await engine.train(graph, data, {
    ...shared,
    epochs: run.epochs,
    ...(run.maxSteps !== undefined && { maxSteps: run.maxSteps }),
    // Images whose mirror image is as good are pictures of things; of those, parts mean something too.
    ...(run.cutMix && context.augment === "shift-flip" && { cutMix: run.cutMix }),
    lr,
    warmupSteps: Math.max(1, Math.min(50, Math.floor(steps / 20))),
    ...(run.onStep && { onStep: run.onStep }),
  });
  return { graph: trained.graph, lr };
}
