import type { Moments } from "./moments.js";

/** Share of the mean diagonal that is added, so that what the samples do not determine stays finite. */
const RIDGE = 1e-4;

/**
 * Takes inputs away from a linear layer one after another, its other weights being fitted again each time: what the
 * layer's outputs lose is then known in closed form.
 *
 * With H the inverse of the moments and W the weights, taking away the entries b costs tr(W_bᵀ (H_bb)⁻¹ W_b) in mean
 * square, W loses H_:b (H_bb)⁻¹ W_b, and H loses H_:b (H_bb)⁻¹ H_b: (Hassibi and Stork 1993, "Optimal brain surgeon",
 * for blocks of entries and quadratic loss of a layer's outputs).
 */
export class Elimination {
  private readonly inverse: Float64Array;
  private readonly weights: Float64Array;
  private readonly size: number;
  /** Variance of the layer's outputs, summed over them: what a loss is a share of. */
  readonly variance: number;

  /** @param weights [size - 1, outputs]; the bias does not count, since it is fitted anyway */
  constructor(
    { size, gram }: Moments,
    weights: Float32Array,
    private readonly outputs: number,
  ) {
    this.size = size;
    this.weights = new Float64Array(size * outputs);
    this.weights.set(weights);
    this.variance = varianceOf(gram, size, this.weights, outputs);
    let trace = 0;
    for (let i = 0; i < size; i++) trace += gram[i * size + i]!;
    const ridged = Float64Array.from(gram);
    for (let i = 0; i < size; i++) ridged[i * size + i]! += (RIDGE * trace) / size;
    this.inverse = inverseOf(ridged, size);
  }

  /** What taking away these entries would cost now. */
  loss(entries: readonly number[]): number {
    const { outputs, weights } = this;
    const n = entries.length;
    const block = this.block(entries);
    let sum = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const f = block[i * n + j]!;
        const a = entries[i]! * outputs;
        const b = entries[j]! * outputs;
        for (let o = 0; o < outputs; o++) sum += f * weights[a + o]! * weights[b + o]!;
      }
    return Math.max(0, sum);
  }

  remove(entries: readonly number[]): void {
    const { size, outputs, weights, inverse } = this;
    const n = entries.length;
    const block = this.block(entries);
    const rows = entries.map((e) => inverse.slice(e * size, (e + 1) * size));
    const own = entries.map((e) => weights.slice(e * outputs, (e + 1) * outputs));
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < n; j++) {
        let f = 0;
        for (let k = 0; k < n; k++) f += rows[k]![i]! * block[k * n + j]!;
        if (f === 0) continue;
        for (let o = 0, at = i * outputs; o < outputs; o++, at++) weights[at]! -= f * own[j]![o]!;
        for (let c = 0, at = i * size; c < size; c++, at++) inverse[at]! -= f * rows[j]![c]!;
      }
    }
    // Exactly gone, whatever the rounding: later blocks must not see what is left of them.
    for (const e of entries) {
      weights.fill(0, e * outputs, (e + 1) * outputs);
      for (let i = 0; i < size; i++) inverse[i * size + e] = inverse[e * size + i] = 0;
    }
  }

  /** (H_bb)⁻¹ */
  private block(entries: readonly number[]): Float64Array {
    const n = entries.length;
    const block = new Float64Array(n * n);
    entries.forEach((i, a) => entries.forEach((j, b) => (block[a * n + b] = this.inverse[i * this.size + j]!)));
    return inverseOf(block, n);
  }
}

/** Σ over outputs of wᵀ (G - g gᵀ) w, g being the means: the column of the constant entry. */
function varianceOf(gram: Float64Array, size: number, weights: Float64Array, outputs: number): number {
  let total = 0;
  const last = size - 1;
  for (let i = 0; i < last; i++)
    for (let j = 0; j < last; j++) {
      const g = gram[i * size + j]! - gram[i * size + last]! * gram[j * size + last]!;
      if (g === 0) continue;
      for (let o = 0; o < outputs; o++) total += g * weights[i * outputs + o]! * weights[j * outputs + o]!;
    }
  return total;
}

/** Inverse of a symmetric positive definite matrix by Cholesky; pivots that rounding has made negative count as tiny. */
export function inverseOf(matrix: Float64Array, n: number): Float64Array {
  const l = Float64Array.from(matrix);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let s = l[i * n + j]!;
      for (let k = 0, a = i * n, b = j * n; k < j; k++, a++, b++) s -= l[a]! * l[b]!;
      l[i * n + j] = i === j ? Math.sqrt(Math.max(s, 1e-14 * Math.abs(matrix[i * n + i]!), 1e-300)) : s / l[j * n + j]!;
    }
  // Rows of L⁻¹, then A⁻¹ = L⁻ᵀ L⁻¹.
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    m[i * n + i] = 1;
    for (let k = 0; k < i; k++) {
      const f = l[i * n + k]!;
      if (f !== 0) for (let c = 0; c <= k; c++) m[i * n + c]! -= f * m[k * n + c]!;
    }
    for (let c = 0; c <= i; c++) m[i * n + c]! /= l[i * n + i]!;
  }
  const result = new Float64Array(n * n);
  for (let k = 0; k < n; k++)
    for (let i = 0; i <= k; i++) {
      const v = m[k * n + i]!;
      if (v !== 0) for (let j = 0; j <= i; j++) result[i * n + j]! += v * m[k * n + j]!;
    }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) result[j * n + i] = result[i * n + j]!;
  return result;
}
