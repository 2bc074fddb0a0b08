/** Learning rates over a run. */
import type { TrainOptions } from "./train-types.js";

/** A ramp grows by this factor in each step, so that it doubles in four; square roots are exact on every engine. */
const RAMP = Math.sqrt(Math.SQRT2);

/**
 * Rate of step `step` (from 0) of `steps`: linear rise over the warm-up, then half a cosine to 0, or constant; or a ramp
 * that starts at `lr` and doubles every four steps, for a range test.
 * Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (without restarts).
 */
export function learningRate(
  options: Pick<TrainOptions, "lr" | "warmupSteps" | "schedule">,
  step: number,
  steps: number,
): number {
  const { lr, warmupSteps = 0, schedule = "cosine" } = options;
  if (schedule === "ramp") return rampRate(lr, step);
  const warmup = Math.min(warmupSteps, steps);
  if (step < warmup) return (lr * (step + 1)) / warmup;
  if (schedule === "constant") return lr;
  return lr * 0.5 * (1 + cosinePi((step - warmup) / Math.max(1, steps - warmup)));
}

/** `from` times 2^(step / 4), by products and square roots: the same bits on every engine. */
export function rampRate(from: number, step: number): number {
  let rate = from;
  for (let s = step; s >= 4; s -= 4) rate *= 2;
  for (let s = step % 4; s > 0; s--) rate *= RAMP;
  return rate;
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
