import type { TrainOptions } from "../host/train.js";
import type { Split } from "../model/dataset.js";
import type { Graph } from "../model/types.js";
import { viewOf } from "../analyzer/view.js";
import type { Unit } from "../analyzer/units.js";
import type { Engine } from "./engine.js";
import type { ResolvedOptions } from "./options.js";
import { mirrored, sampled } from "./splits.js";

/** What every recovery of one build shares. */
export interface RecoveryContext {
  readonly engine: Engine;
  /** The dense network: the only teacher of the distillation. */
  readonly dense: Graph;
  readonly train: Split;
  readonly options: ResolvedOptions;
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

function common(context: RecoveryContext, data: Split, seed: number): Omit<TrainOptions, "epochs" | "lr"> {
  const { options, dense } = context;
  const labelled = data.labels !== null;
  return {
    batch: Math.min(options.batch, data.count),
    shards: options.shards,
    seed,
    optimizer: { kind: "sgd", momentum: options.momentum, nesterov: true, weightDecay: options.weightDecay },
    schedule: "cosine",
    augment: context.augment,
    loss: {
      labels: labelled ? options.labelWeight : 0,
      distill: { teacher: dense, temperature: options.temperature, weight: labelled ? options.distillWeight : 1 },
    },
  };
}

/** Fine-tunes the whole network against labels and the dense network; without gradients only its statistics. */
export async function recover(
  graph: Graph,
  context: RecoveryContext,
  run: { epochs: number; lr: number; seed: number; samples?: number; onStep?: StepProgress },
): Promise<Graph> {
  const { engine, options } = context;
  const data = sampled(context.train, run.samples ?? options.recoverySamples, run.seed);
  const batches = Math.max(1, Math.min(8, Math.floor(data.count / options.batch)));
  if (options.oneShot || run.epochs <= 0) return engine.reestimate(graph, data, batches);
  const steps = Math.ceil(data.count / options.batch) * run.epochs;
  const trained = await engine.train(graph, data, {
    ...common(context, data, run.seed),
    epochs: Math.max(1, Math.ceil(run.epochs)),
    // A part of an epoch is a number of steps.
    ...(Number.isInteger(run.epochs) ? {} : { maxSteps: Math.max(1, Math.round(steps)) }),
    lr: run.lr,
    warmupSteps: Math.max(1, Math.min(50, Math.floor(steps / 20))),
    ...(run.onStep && { onStep: run.onStep }),
  });
  return engine.reestimate(trained.graph, data, batches);
}

/** Tensors behind a removed unit that the repaired network should still produce: its replacement and its readers' outputs. */
export function matchedTensors(before: Graph, after: Graph, unit: Unit): [string, string][] {
  const view = viewOf(before);
  const pairs: [string, string][] = [];
  const add = (student: string, teacher: string): void => {
    const s = after.tensors.get(student);
    const t = before.tensors.get(teacher);
    if (s && t && s.data === undefined && !view.isOutput(teacher) && !pairs.some(([, p]) => p === teacher))
      pairs.push([student, teacher]);
  };
  for (const reader of view.consumers(unit.output)) for (const out of reader.outputs) add(out, out);
  return pairs;
}

/** Constants of the layers next to a removed unit: those that write what now stands in for it, and those that read it. */
export function neighbours(before: Graph, after: Graph, unit: Unit): Set<string> {
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

/** Trains only the neighbours of a removed unit, to make up for it: task loss, distillation, and matching what it fed. */
export async function recoverLocally(
  before: Graph,
  after: Graph,
  unit: Unit,
  context: RecoveryContext,
  run: { seed: number; matchScale: number; onStep?: StepProgress },
): Promise<Graph> {
  const { engine, options } = context;
  const data = sampled(context.train, options.layerSteps * options.batch, run.seed);
  const batches = Math.max(1, Math.min(8, Math.floor(data.count / options.batch)));
  if (options.oneShot) return engine.reestimate(after, data, batches);
  const near = neighbours(before, after, unit);
  const pairs = matchedTensors(before, after, unit);
  const trained = await engine.train(after, data, {
    ...common(context, data, run.seed),
    epochs: 1,
    maxSteps: options.layerSteps,
    lr: options.lr,
    warmupSteps: 3,
    trainable: (name) => near.has(name),
    ...(pairs.length > 0 && { match: { teacher: before, pairs, weight: options.matchWeight * run.matchScale } }),
    ...(run.onStep && { onStep: run.onStep }),
  });
  return engine.reestimate(trained.graph, data, batches);
}
