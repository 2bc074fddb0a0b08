// Medians, spreads, ratios and errors of the bench.

/** The value below which a share `q` of the sample lies, between two neighbours linearly. */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

export const median = (values) => quantile(values, 0.5);

/** What is kept of the samples of one engine, in their unit. */
export const summarise = (samples) => ({
  median: median(samples),
  p10: quantile(samples, 0.1),
  p90: quantile(samples, 0.9),
});

/** exp(mean(log r)): the mean of ratios that does not depend on which side is the numerator. */
export const geometricMean = (ratios) => Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);

/** max |a - b| / max |b|; Infinity where lengths differ or a value is no number. */
export function relativeError(a, b) {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= Number.MAX_VALUE)) return Infinity;
    most = Math.max(most, difference);
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return most === 0 ? 0 : most / scale;
}

/** Least squares line through points: y = intercept + slope * x, and the share of the variance that it explains. */
export function fitLine(points) {
  const n = points.length;
  const meanX = points.reduce((s, [x]) => s + x, 0) / n;
  const meanY = points.reduce((s, [, y]) => s + y, 0) / n;
  const xx = points.reduce((s, [x]) => s + (x - meanX) ** 2, 0);
  const xy = points.reduce((s, [x, y]) => s + (x - meanX) * (y - meanY), 0);
  const slope = xy / xx;
  const intercept = meanY - slope * meanX;
  const rest = points.reduce((s, [x, y]) => s + (y - intercept - slope * x) ** 2, 0);
  const total = points.reduce((s, [, y]) => s + (y - meanY) ** 2, 0);
  return { slope, intercept, r2: total === 0 ? 1 : 1 - rest / total };
}
