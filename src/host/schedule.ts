/** Learning rates over a run. */
import type { TrainOptions } from "./train-types.js";

/**
 * Rate of step `step` (from 0) of `steps`: linear rise over the warm-up, then half a cosine to 0, or constant.
 * Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (without restarts).
 */
export function learningRate(
  options: Pick<TrainOptions, "lr" | "warmupSteps" | "schedule">,
  step: number,
  steps: number,
): number {
  const { lr, warmupSteps = 0, schedule = "cosine" } = options;
  const warmup = Math.min(warmupSteps, steps);
  if (step < warmup) return (lr * (step + 1)) / warmup;
  if (schedule === "constant") return lr;
  return lr * 0.5 * (1 + cosinePi((step - warmup) / Math.max(1, steps - warmup)));
}

/**
 * cos(pi x) for 0 <= x <= 1, by its Taylor series around the nearest multiple of 1/2 (terms up to 2^-53); additions and
 * multiplications only, so that every engine gives the same bits.
 */
export function cosinePi(x: number): number {
  if (x > 0.75) return -cosinePi(1 - x);
  const angle = Math.PI * (x > 0.25 ? 0.5 - x : x);
  let term = x > 0.25 ? angle : 1;
  let sum = term;
  for (let n = x > 0.25 ? 2 : 1; n < 24; n += 2) {
    term *= -(angle * angle) / (n * (n + 1));
    sum += term;
  }
  return sum;
}
