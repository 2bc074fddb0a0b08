/** A paired comparison of two classifiers on the same samples, in points. */
export interface Paired {
  readonly dropPoints: number;
  readonly low: number;
  readonly high: number;
}

/** Quantile of the standard normal for a two-sided 95 % interval. */
const Z95 = 1.959963984540054;

/**
 * Difference first - second of the shares of right answers, with its 95 % interval.
 *
 * The differences d of single samples are -1, 0 or 1; with b samples that only the first gets right and c that only the
 * second does, the mean is (b - c) / n and its variance (b + c - (b - c)² / n) / n². Normal interval, as in McNemar's
 * test; both classifiers see the same samples, so this is much narrower than two separate intervals.
 */
export function pairedDifference(first: ArrayLike<number>, second: ArrayLike<number>): Paired {
  const n = first.length;
  let b = 0;
  let c = 0;
  for (let i = 0; i < n; i++) {
    if (first[i] && !second[i]) b++;
    else if (second[i] && !first[i]) c++;
  }
  const mean = (b - c) / n;
  const spread = Z95 * Math.sqrt(Math.max(0, b + c - (b - c) ** 2 / n) / n ** 2);
  return { dropPoints: 100 * mean, low: 100 * (mean - spread), high: 100 * (mean + spread) };
}
