/** The q-quantile of `sorted` (ascending), by linear interpolation between the two nearest ranks. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return NaN;
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const a = sorted[low]!;
  const b = sorted[Math.min(low + 1, sorted.length - 1)]!;
  return a + (b - a) * (at - low);
}

/** Steady-state times of one package, in milliseconds for one run. */
export interface Steady {
  /** Lower quartile: what a busy neighbour leaves alone. */
  readonly p25: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly min: number;
  /** Timed samples; each is the mean over `batch` runs, so that the clock's resolution does not show. */
  readonly samples: number;
  readonly batch: number;
}

export function summarize(samplesMs: readonly number[], batch: number): Steady {
  const sorted = Float64Array.from(samplesMs).sort();
  return {
    p25: quantile(sorted, 0.25),
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    min: sorted[0] ?? NaN,
    samples: sorted.length,
    batch,
  };
}

/** How many times faster than another package, with the spread over rounds. */
export interface Ratio {
  /** Median over rounds of (time of the other / time of this): above 1 means this one is faster. */
  readonly median: number;
  /** 10th and 90th percentile over rounds: packages ran alternately, so a busy moment hits both. */
  readonly low: number;
  readonly high: number;
}

/** Paired ratio, round by round: `base[i] / samples[i]`. */
export function pairedRatio(base: readonly number[], samples: readonly number[]): Ratio {
  const ratios = Float64Array.from(samples, (ms, i) => base[i]! / ms).sort();
  return { median: quantile(ratios, 0.5), low: quantile(ratios, 0.1), high: quantile(ratios, 0.9) };
}
