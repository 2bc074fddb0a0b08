/** Mean of repeated measurements with what is known of it. */
export interface Spread {
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation; 0 for a single value. */
  readonly sd: number;
  readonly min: number;
  readonly max: number;
  /** 95 % interval of the mean by Student's t; null for a single value. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. */
const T95 = [
  12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281, 2.201, 2.1788, 2.1604, 2.1448, 2.1314,
  2.1199, 2.1098, 2.1009, 2.093, 2.086, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
];
const NORMAL95 = 1.96;

/** Statistics of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  const mean = values.reduce((s, v) => s + v, 0) / n;
  const sd = n > 1 ? Math.sqrt(values.reduce((s, v) => s + (v - mean) ** 2, 0) / (n - 1)) : 0;
  const half = n > 1 ? ((T95[n - 2] ?? NORMAL95) * sd) / Math.sqrt(n) : 0;
  return {
    n,
    mean,
    sd,
    min: Math.min(...values),
    max: Math.max(...values),
    interval: n > 1 ? [mean - half, mean + half] : null,
  };
}
