/**
 * Softmax, f32: y = e^(x - max) / sum.
 *
 *   softmax_rows(x, y, rows, n, xRow, yRow)                        over n contiguous floats
 *   softmax_strided(x, y, n0, n1, n2, m, x0, x1, x2, xm, y0, y1, y2, ym)  over one axis of length m, byte strides
 *
 * y may be x. Order of the sum: ascending, one accumulator. The largest term is e^0 = 1, so the sum is at least 1.
 * Error: relative, (m + 6) * 2^-24 + |x - max| * 2^-24 (from rounding the difference).
 */
import { exp4 } from "./simd";

export function softmax_rows(x: usize, y: usize, rows: i32, n: usize, xRow: usize, yRow: usize): void {
  softmax_strided(x, y, 1, 1, rows, <i32>n, 0, 0, xRow, 4, 0, 0, yRow, 4);
}

export function softmax_strided(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, m: i32,
  x0: usize, x1: usize, x2: usize, xm: usize, y0: usize, y1: usize, y2: usize, ym: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        let most = load<f32>(xb);
        for (let j = 1, p = xb + xm; j < m; j++, p += xm) most = max<f32>(most, load<f32>(p));
        const shift = f32x4.splat(most);
        let sum: f32 = 0;
        let j = 0, p = xb, q = yb;
        if (xm == 4 && ym == 4) {
          for (; j + 4 <= m; j += 4, p += 16, q += 16) {
            const e = exp4(f32x4.sub(v128.load(p), shift));
            v128.store(q, e);
            sum += f32x4.extract_lane(e, 0);
            sum += f32x4.extract_lane(e, 1);
            sum += f32x4.extract_lane(e, 2);
            sum += f32x4.extract_lane(e, 3);
          }
        }
        for (; j < m; j++, p += xm, q += ym) {
          const e = f32x4.extract_lane(exp4(f32x4.sub(v128.load_splat<f32>(p), shift)), 0);
          store<f32>(q, e);
          sum += e;
        }
        for (let k = 0, r = yb; k < m; k++, r += ym) store<f32>(r, load<f32>(r) / sum);
      }
    }
  }
}
