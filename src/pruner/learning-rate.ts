import type { TrainOptions } from "../host/train.js";
import { rampRate } from "../host/schedule.js";
import { IdapError } from "../model/errors.js";
import type { Split } from "../model/dataset.js";
import type { Graph } from "../model/types.js";
import type { Engine } from "./engine.js";

/** The range test begins here and doubles every four steps, nine times. */
export const RANGE = { from: 2 ** -12, steps: 37 } as const;

/** Loss over the least so far that counts as a rise, and what is taken of the rate that still lowered it. */
const RISE = 1.1;
const SHARE = 0.5;

/**
 * A learning rate for `graph`: half of the highest rate that still lowers its loss.
 *
 * The range test of Smith ("Cyclical learning rates for training neural networks", WACV 2017): a copy is trained while
 * the rate rises exponentially, and the loss falls until the rate is too high. Between different batches the loss differs
 * by more than a step changes it, so that a short test is noise: on three networks whose best rates lay between 0.004
 * and 0.016, it found 0.0001 to 0.0066. Here all steps see the same batch, without augmentation and in one shard, so
 * that nothing but the weights changes; the loss then falls smoothly and turns at 0.009 to 0.022 for the same networks.
 * Costs 37 steps and leaves `graph` as it is. A function of its arguments alone.
 */
export async function findLearningRate(
  engine: Engine,
  graph: Graph,
  batch: Split,
  options: Omit<TrainOptions, "epochs" | "lr">,
): Promise<number> {
  const losses: number[] = [];
  try {
    await engine.train(graph, batch, {
      ...options,
      batch: batch.count,
      shards: 1,
      augment: "none",
      cutMix: 0,
      epochs: RANGE.steps,
      maxSteps: RANGE.steps,
      schedule: "ramp",
      warmupSteps: 0,
      lr: RANGE.from,
      onStep: ({ loss }) => losses.push(loss),
    });
  } catch (error) {
    // Too high a rate is what the test looks for.
    if (!(error instanceof IdapError) || error.code !== "E_DIVERGED") throw error;
  }
  return SHARE * highestUseful(losses);
}

/** Rate of the step behind which the losses of a ramp were least before they rose for the first time. */
export function highestUseful(losses: readonly number[]): number {
  let least = 0;
  for (let step = 1; step < losses.length; step++) {
    if (losses[step]! > RISE * losses[least]!) break;
    if (losses[step]! < losses[least]!) least = step;
  }
  // The loss of a step is that before its update: it was brought about by the step before.
  return rampRate(RANGE.from, Math.max(0, least - 1));
}
