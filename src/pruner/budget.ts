import type { Figures } from "./ledger.js";

/** Accuracy may fall to this; 1e-9 keeps a drop of exactly the limit inside it. */
export function withinDrop(dense: number, now: number, points: number): boolean {
  return dense - now <= points / 100 + 1e-9;
}

/**
 * Whether a network that gained `now - before` in a round of fine-tuning and is still outside the limit may come inside:
 * rounds gain about half of what the one before gained, so all that is to come is about as much as the last brought.
 * A gain is known no better than the accuracies it is made of: one smaller than their standard error counts as that.
 * @param samples how many samples the accuracies were measured on
 */
export function worthAnotherRound(
  { before, now, samples }: { before: number; now: number; samples: number },
  dense: number,
  maxDrop: number,
): boolean {
  const gain = now - before;
  const error = Math.sqrt((now * (1 - now)) / samples);
  return gain > 0 && withinDrop(dense, now + Math.max(gain, error), maxDrop);
}

/** An accepted network of the build, as the ladder that the final fine-tuning climbs down. */
export interface Rung {
  /** Step of the ledger that made it; 0 is the dense network. */
  readonly step: number;
  readonly figures: Figures;
}

/**
 * Which accepted network to fine-tune next, after the fine-tuning of `tried` ended at `accuracy`, below the limit.
 *
 * What fine-tuning gained there is expected again; the smallest network whose accuracy plus that gain is inside the
 * limit (or the biggest) should do. Networks differ more after fine-tuning than before it, so that expectation is
 * cautious: the one half way between it and the network that failed is taken, unless this try is the last. Null when only the dense network is left.
 */
export function stepBack(
  ladder: readonly Rung[],
  tried: Rung,
  accuracy: number,
  dense: number,
  maxDrop: number,
  last: boolean,
): Rung | null {
  const earlier = ladder.filter((r) => r.step < tried.step && r.step > 0);
  if (earlier.length === 0) return null;
  const gain = accuracy - (tried.figures.accuracy ?? accuracy);
  const inside = earlier.findLastIndex((r) => withinDrop(dense, (r.figures.accuracy ?? 0) + gain, maxDrop));
  const expected = Math.max(0, inside);
  return earlier[last ? expected : Math.ceil((expected + earlier.length - 1) / 2)]!;
}
