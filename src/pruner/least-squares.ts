/**
 * Normal equations of a linear regression, gathered row by row in f64: A has `inputs` columns, Y has `outputs`.
 * The solution minimises |A X - Y|² + ridge * |X|², ridge being a share of the mean of the diagonal of AᵀA.
 */
export class NormalEquations {
  private readonly gram: Float64Array;
  private readonly right: Float64Array;
  rows = 0;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
  ) {
    this.gram = new Float64Array(inputs * inputs);
    this.right = new Float64Array(inputs * outputs);
  }

  add(a: Float64Array, y: Float64Array): void {
    const { inputs, outputs, gram, right } = this;
    for (let i = 0; i < inputs; i++) {
      const v = a[i]!;
      if (v === 0) continue;
      // The lower triangle is enough.
      for (let j = 0, at = i * inputs; j <= i; j++, at++) gram[at]! += v * a[j]!;
      for (let o = 0, at = i * outputs; o < outputs; o++, at++) right[at]! += v * y[o]!;
    }
    this.rows++;
  }

  /** [inputs, outputs], row-major. Cholesky; the ridge keeps every pivot positive. */
  solve(ridge: number): Float64Array {
    const { inputs: n, outputs, gram, right } = this;
    let trace = 0;
    for (let i = 0; i < n; i++) trace += gram[i * n + i]!;
    const shift = Math.max((ridge * trace) / n, 1e-12);
    const l = Float64Array.from(gram);
    for (let i = 0; i < n; i++) {
      l[i * n + i]! += shift;
      for (let j = 0; j <= i; j++) {
        let s = l[i * n + j]!;
        for (let k = 0, a = i * n, b = j * n; k < j; k++, a++, b++) s -= l[a]! * l[b]!;
        l[i * n + j] = i === j ? Math.sqrt(s) : s / l[j * n + j]!;
      }
    }
    const x = Float64Array.from(right);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) {
        const f = l[i * n + k]!;
        for (let o = 0; o < outputs; o++) x[i * outputs + o]! -= f * x[k * outputs + o]!;
      }
      for (let o = 0; o < outputs; o++) x[i * outputs + o]! /= l[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) {
        const f = l[k * n + i]!;
        for (let o = 0; o < outputs; o++) x[i * outputs + o]! -= f * x[k * outputs + o]!;
      }
      for (let o = 0; o < outputs; o++) x[i * outputs + o]! /= l[i * n + i]!;
    }
    return x;
  }
}
