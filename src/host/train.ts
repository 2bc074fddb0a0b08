/** Training a graph: the public entry. What one step is, is in trainer.ts. */
import { availableParallelism } from "node:os";
import type { Split } from "../model/dataset.js";
import { IdapError } from "../model/errors.js";
import { withConstants } from "../model/graph.js";
import type { Graph, TensorData } from "../model/types.js";
import { cutMix, shiftFlip } from "./augment.js";
import { Batches } from "./batches.js";
import { RunningStatistics } from "./batch-statistics.js";
import { requireFit } from "./samples.js";
import { learningRate } from "./schedule.js";
import { Trainer } from "./trainer.js";
import type { TrainOptions } from "./train-types.js";
import { buildTraining } from "./training-graph.js";

export type { Optimizer, StepReport, TrainOptions } from "./train-types.js";

/**
 * Trains the graph's constants on `data` and returns the graph with their new values, and the loss of each step.
 *
 * Batch norms use the statistics of each shard and keep running ones. The result is the same, bit for bit, for any number
 * of threads; it depends on `shards` (and on the machine, where `fast` is set).
 * Throws E_DIVERGED when the loss or a gradient stops being finite.
 */
export async function train(
  graph: Graph,
  data: Split,
  options: TrainOptions,
): Promise<{ graph: Graph; losses: number[] }> {
  const { shards = 2, loss, augment = "none", bnMomentum = 0.9 } = options;
  check(graph, data, options);
  const batch = batchSize(data, options.batch ?? 128, shards);
  const training = buildTraining(graph, data.labels ? data.classes : 0, options);
  const change = augment === "shift-flip" ? shiftFlip(data.shape) : null;
  const mixing = options.cutMix ? { mix: cutMix(data.shape), share: options.cutMix } : null;
  const batches = new Batches(data, batch, loss.labelSmoothing ?? 0, change, mixing, options.seed);
  const steps = Math.min(Math.max(1, Math.ceil(options.epochs * batches.perEpoch)), options.maxSteps ?? Infinity);
  const threads = Math.min(options.threads ?? availableParallelism(), shards);
  const running = new RunningStatistics(training.norms, graph, bnMomentum);
  const losses: number[] = [];
  const started = performance.now();

  const trainer = await Trainer.start(training, {
    batch,
    shards,
    threads,
    fast: options.fast ?? false,
    optimizer: options.optimizer,
  });
  try {
    batches.fill(trainer.images(0), trainer.targets(0));
    for (let step = 0; step < steps; step++) {
      const slot = step % 2;
      const value = await trainer.step(slot, learningRate(options, step, steps), () => {
        if (step + 1 < steps) batches.fill(trainer.images(1 - slot), trainer.targets(1 - slot));
      });
      if (!Number.isFinite(value)) {
        throw new IdapError(
          "E_DIVERGED",
          `training "${graph.name}" diverged at step ${step + 1} of ${steps}: the loss or a gradient is not finite`,
          `Use a lower learning rate (now ${options.lr}) or more warm-up steps, and check the scale of the inputs.`,
        );
      }
      losses.push(value);
      running.update(shards, (tensor, shard) => trainer.collected(tensor, shard));
      options.onStep?.({
        step: step + 1,
        steps,
        loss: value,
        imagesPerSecond: ((step + 1) * batch * 1000) / (performance.now() - started),
      });
    }
    const values = new Map<string, TensorData>([...(await trainer.weights()), ...running.read()]);
    return { graph: withConstants(graph, values), losses };
  } finally {
    await trainer.close();
  }
}

/** The wanted batch, or what there is, in whole shards. */
function batchSize(data: Split, wanted: number, shards: number): number {
  const batch = Math.floor(Math.min(wanted, data.count) / shards) * shards;
  if (batch < shards) {
    throw new IdapError(
      "E_DATA",
      `${shards} shards need at least as many samples, "${data.name}" has ${data.count}`,
      "Set shards to 1.",
    );
  }
  return batch;
}

function check(graph: Graph, data: Split, options: TrainOptions): void {
  for (const name of ["batch", "shards", "threads", "maxSteps"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new IdapError("E_OPTION", `training option "${name}" must be a positive whole number, got ${value}`);
    }
  }
  if (!(options.epochs > 0))
    throw new IdapError("E_OPTION", `training option "epochs" must be above 0, got ${options.epochs}`);
  if (!(options.lr >= 0 && Number.isFinite(options.lr))) {
    throw new IdapError("E_OPTION", `training option "lr" must be a number of at least 0, got ${options.lr}`);
  }
  const { cutMix: mixed = 0 } = options;
  if (!(mixed >= 0 && mixed <= 1)) {
    throw new IdapError("E_OPTION", `training option "cutMix" must be between 0 and 1, got ${mixed}`);
  }
  requireFit(graph, data);
}
