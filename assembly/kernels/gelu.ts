/**
 * y = gelu(x), f32, rows of any length:
 *
 *   gelu_rows(x, y, rows, n, xRow, yRow)        x Phi(x), Phi the normal distribution
 *   gelu_tanh_rows(x, y, rows, n, xRow, yRow)   0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
 *
 * n counts neighbouring floats, xRow and yRow are bytes; y may be x. The last 1 to 3 floats of a row go through the same
 * code, so bits do not depend on the place. Multiplications and additions are one where the engine can. NaN stays NaN.
 *
 * 2^-q for q >= 0: with n = nearest(q), 2^(n - q) by the fit of degree 6 on [-1/2, 1/2], within 0.04 u (u = 2^-24). Error: 3 u:
 * the fit, 1.5 of the polynomial (its terms fall by a factor of 3 or more), none of the product.
 *
 * gelu_rows: Phi(-|x|) = 2^-Q(|x|), Q the fit of degree 7 to -log2 Phi(-t) on [0, 5.5] that keeps Phi within 0.6 u; beyond it
 * Phi is below u / 3 and taken as 0. Error: 6 u of |x|: the fit; of Q at most Phi ln 2 times its own 5 u, which is below 1.5; of
 * the power 3 Phi, 1.5 at most; of 1 - Phi and of the product 1 each.
 *
 * gelu_tanh_rows: x / (1 + e^-2y), below 0 as x e^2y / (1 + e^2y). Error: 7 u of |x|: 3 of the exponent count at most 0.37 times
 * themselves, 3 of the power; a product, a sum and a quotient.
 */
import { held, madd, ROUNDER } from "./simd";

export function gelu_rows(x: usize, y: usize, rows: i32, n: i32, xRow: usize, yRow: usize): void {
  let v = v128.load32_splat(x);
  const zero = v128.xor(v, v);
  const end = held(zero, 5.5), one = held(zero, 1), rounder = held(zero, ROUNDER);
  const a7 = held(zero, -8.46872899e-6), a6 = held(zero, 5.389117e-5), a5 = held(zero, 4.21277218e-4);
  const a4 = held(zero, -7.38933636e-3), a3 = held(zero, 5.26911616e-2), a2 = held(zero, 0.459153146);
  const a1 = held(zero, 1.15111089), a0 = held(zero, 0.999999881);
  const b6 = held(zero, 1.53458095e-4), b5 = held(zero, 1.33999309e-3), b4 = held(zero, 9.61848907e-3);
  const b3 = held(zero, 5.55032864e-2), b2 = held(zero, 0.240226462), b1 = held(zero, 0.693147182);
  for (let i = 0; i < rows; i++, x += xRow, y += yRow) {
    for (let j = 0, p = x, q = y; j < n;) {
      const whole = j + 4 <= n;
      v = whole ? v128.load(p) : v128.load32_splat(p);
      const t = f32x4.min(f32x4.abs(v), end);
      let e = madd(a7, t, a6);
      e = madd(e, t, a5); e = madd(e, t, a4); e = madd(e, t, a3); e = madd(e, t, a2); e = madd(e, t, a1); e = madd(e, t, a0);
      const m = f32x4.add(e, rounder), r = f32x4.sub(f32x4.sub(m, rounder), e);
      let w = madd(b6, r, b5);
      w = madd(w, r, b4); w = madd(w, r, b3); w = madd(w, r, b2); w = madd(w, r, b1); w = madd(w, r, one);
      w = i32x4.sub(w, i32x4.shl(m, 23));
      const less = v128.andnot(w, f32x4.ge(t, end));
      const result = f32x4.mul(v, v128.bitselect(less, f32x4.sub(one, less), f32x4.lt(v, zero)));
      if (whole) v128.store(q, result);
      else v128.store32_lane(q, result, 0);
      const step = whole ? 4 : 1;
      j += step; p += <usize>step << 2; q += <usize>step << 2;
    }
  }
}

export function gelu_tanh_rows(x: usize, y: usize, rows: i32, n: i32, xRow: usize, yRow: usize): void {
  let v = v128.load32_splat(x);
  const zero = v128.xor(v, v);
  const end = held(zero, 125), one = held(zero, 1), rounder = held(zero, ROUNDER);
  // 2 log2(e) sqrt(2/pi), and 0.044715 times it.
  const slope = held(zero, 2.30220819), bend = held(zero, 0.102943240);
  const b6 = held(zero, 1.53458095e-4), b5 = held(zero, 1.33999309e-3), b4 = held(zero, 9.61848907e-3);
  const b3 = held(zero, 5.55032864e-2), b2 = held(zero, 0.240226462), b1 = held(zero, 0.693147182);
  for (let i = 0; i < rows; i++, x += xRow, y += yRow) {
    for (let j = 0, p = x, q = y; j < n;) {
      const whole = j + 4 <= n;
      v = whole ? v128.load(p) : v128.load32_splat(p);
      const e = f32x4.mul(f32x4.abs(v), madd(f32x4.mul(v, v), bend, slope)), t = f32x4.min(e, end);
      const m = f32x4.add(t, rounder), r = f32x4.sub(f32x4.sub(m, rounder), t);
      let w = madd(b6, r, b5);
      w = madd(w, r, b4); w = madd(w, r, b3); w = madd(w, r, b2); w = madd(w, r, b1); w = madd(w, r, one);
      w = v128.andnot(i32x4.sub(w, i32x4.shl(m, 23)), f32x4.gt(e, end));
      const top = v128.bitselect(f32x4.mul(v, w), v, f32x4.lt(v, zero));
      const result = f32x4.div(top, f32x4.add(one, w));
      if (whole) v128.store(q, result);
      else v128.store32_lane(q, result, 0);
      const step = whole ? 4 : 1;
      j += step; p += <usize>step << 2; q += <usize>step << 2;
    }
  }
}
