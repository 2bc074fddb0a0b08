/**
 * Functions of one variable in four lanes, f32. Errors are relative, in units of u = 2^-24 (results below 2^-126: and at
 * most 2^-148), checked over dense grids (test/kernels/elementwise.test.ts); NaN stays NaN everywhere. Strict
 * arithmetic in both variants: the same bits.
 * Coefficients that are not Taylor's are least maximum fits of our own over the interval that is named.
 */
// @ts-ignore: decorator
@inline
function c(x: f32): v128 {
  return f32x4.splat(x);
}

// @ts-ignore: decorator
@inline
function step(p: v128, x: v128, a: f32): v128 {
  return f32x4.add(f32x4.mul(p, x), c(a));
}

/** x with the sign of s. */
// @ts-ignore: decorator
@inline
function signed(x: v128, s: v128): v128 {
  return v128.bitselect(x, s, i32x4.splat(0x7fffffff));
}

/** e^r - 1 for |r| <= ln 2 / 2: Taylor to degree 7, the rest is below u / 10. */
// @ts-ignore: decorator
@inline
function tail(r: v128): v128 {
  let p = c(1.98412698e-4);
  p = step(p, r, 1.38888889e-3);
  p = step(p, r, 8.33333333e-3);
  p = step(p, r, 4.16666667e-2);
  p = step(p, r, 1.66666667e-1);
  p = step(p, r, 0.5);
  return f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r);
}

/** x - n ln 2, ln 2 in two parts so that the first product is exact. */
// @ts-ignore: decorator
@inline
function rest(x: v128, n: v128): v128 {
  const r = f32x4.sub(x, f32x4.mul(n, c(0.693359375)));
  return f32x4.sub(r, f32x4.mul(n, c(-2.12194440e-4)));
}

/** 2^k for -127 < k < 128. */
// @ts-ignore: decorator
@inline
function power2(k: v128): v128 {
  return i32x4.shl(i32x4.add(k, i32x4.splat(127)), 23);
}

/** e^x over the whole range: Infinity above 88.72, gradual underflow to 0. Error: 4 u, and half of 2^-149 below 2^-126. */
export function expAll4(x: v128): v128 {
  x = f32x4.min(f32x4.max(x, c(-104)), c(89));
  const n = f32x4.nearest(f32x4.mul(x, c(1.44269504)));
  const p = f32x4.add(tail(rest(x, n)), c(1));
  // Two factors, because 2^n itself may be no normal number.
  const k = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(k, 1);
  return f32x4.mul(f32x4.mul(p, power2(half)), power2(i32x4.sub(k, half)));
}

/** e^x - 1 for x <= 0. Error: 6 u, near 0 too. */
export function expMinus1of4(x: v128): v128 {
  x = f32x4.max(x, c(-87));
  const n = f32x4.nearest(f32x4.mul(x, c(1.44269504)));
  const scale = power2(i32x4.trunc_sat_f32x4_s(n));
  return f32x4.add(f32x4.mul(tail(rest(x, n)), scale), f32x4.sub(scale, c(1)));
}

/**
 * Hyperbolic tangent. Below 5/8 x + x^3 P(x^2), the fit within 0.07 u; above it 1 - 2 / (e^2|x| + 1), where the error of
 * the quotient counts at most 0.8 of itself. Error: 6 u.
 */
export function tanh4(x: v128): v128 {
  const a = f32x4.abs(x), z = f32x4.mul(x, x);
  let p = c(-5.7170450e-3);
  p = step(p, z, 2.06505873e-2);
  p = step(p, z, -5.37434981e-2);
  p = step(p, z, 1.33314913e-1);
  p = step(p, z, -3.33332839e-1);
  const near = f32x4.add(x, f32x4.mul(f32x4.mul(p, z), x));
  const e = expAll4(f32x4.add(a, a));
  const far = f32x4.sub(c(1), f32x4.div(c(2), f32x4.add(e, c(1))));
  return v128.bitselect(near, signed(far, x), f32x4.lt(a, c(0.625)));
}

/**
 * Error function. Below 1 x P(x^2), the fit within 0.02 u; above it 1 - e^-Q(|x|), Q = -ln erfc fitted on [1, 4] so that
 * the result is within 0.02 u (beyond 4 it is 1). Error: 4 u.
 */
export function erf4(x: v128): v128 {
  const z = f32x4.mul(x, x), a = f32x4.min(f32x4.abs(x), c(4));
  let p = c(7.85385399e-5);
  p = step(p, z, -8.0101914e-4);
  p = step(p, z, 5.18832743e-3);
  p = step(p, z, -2.68538118e-2);
  p = step(p, z, 1.12835851e-1);
  p = step(p, z, -3.76126258e-1);
  p = step(p, z, 1.12837917);
  let q = c(-1.85573856e-4);
  q = step(q, a, 2.93960626e-3);
  q = step(q, a, -2.18053157e-2);
  q = step(q, a, 1.03037366e-1);
  q = step(q, a, 6.38225678e-1);
  q = step(q, a, 1.12704004);
  q = step(q, a, 3.53718841e-4);
  const far = f32x4.sub(c(1), expAll4(f32x4.neg(q)));
  return v128.bitselect(f32x4.mul(x, p), signed(far, x), f32x4.lt(a, c(1)));
}

/**
 * Natural logarithm: x = m 2^e with m in [sqrt 1/2, sqrt 2), f = m - 1, s = f / (2 + f), ln m = f - (f^2/2 - s (f^2/2 + R)),
 * R = s^2 (2/3 + 2/5 s^2 + 2/7 s^4 + 2/9 s^6 + 2/11 s^8), what is left out is below 1e-9 of it. Numbers below 2^-126 are
 * scaled first. -Infinity at 0, NaN below it. Error: 4 u.
 */
export function log4(x: v128): v128 {
  const small = f32x4.lt(x, c(1.17549435e-38));
  const bits = i32x4.sub(v128.bitselect(f32x4.mul(x, c(8388608)), x, small), i32x4.splat(0x3f3504f3));
  const e = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_s(bits, 23), v128.and(small, i32x4.splat(23))));
  const f = f32x4.sub(i32x4.add(v128.and(bits, i32x4.splat(0x7fffff)), i32x4.splat(0x3f3504f3)), c(1));
  const s = f32x4.div(f, f32x4.add(c(2), f)), z = f32x4.mul(s, s);
  let r = c(1.81818182e-1);
  r = step(r, z, 2.22222222e-1);
  r = step(r, z, 2.85714286e-1);
  r = step(r, z, 0.4);
  r = f32x4.mul(step(r, z, 6.66666667e-1), z);
  const h = f32x4.mul(f32x4.mul(f, f), c(0.5));
  const low = f32x4.add(f32x4.mul(s, f32x4.add(h, r)), f32x4.mul(e, c(-2.12194440e-4)));
  let y = f32x4.sub(f32x4.mul(e, c(0.693359375)), f32x4.sub(f32x4.sub(h, low), f));
  y = v128.bitselect(y, x, f32x4.lt(x, c(Infinity))); // Infinity and NaN stay
  y = v128.bitselect(c(-Infinity), y, f32x4.eq(x, c(0)));
  return v128.bitselect(c(NaN), y, f32x4.lt(x, c(0)));
}

/**
 * ln(1 + e^x) = max(x, 0) + ln(1 + w), w = e^-|x|; with s = w / (2 + w) <= 1/3 the logarithm is
 * 2 s (1 + s^2/3 + s^4/5 + ... + s^14/15), the rest is below u / 4. Error: 10 u.
 */
export function softplus4(x: v128): v128 {
  const w = expAll4(f32x4.neg(f32x4.abs(x)));
  const s = f32x4.div(w, f32x4.add(c(2), w)), z = f32x4.mul(s, s);
  let p = c(0.0666666667);
  p = step(p, z, 0.0769230769);
  p = step(p, z, 0.0909090909);
  p = step(p, z, 0.111111111);
  p = step(p, z, 0.142857143);
  p = step(p, z, 0.2);
  p = step(p, z, 0.333333333);
  p = step(p, z, 1);
  return f32x4.add(f32x4.max(x, c(0)), f32x4.mul(f32x4.add(s, s), p));
}

/** x / (1 + e^-x), below 0 as x e^x / (1 + e^x), so that nothing overflows. Error: 7 u of the result or of 2^-126 x. */
export function silu4(x: v128): v128 {
  const w = expAll4(f32x4.neg(f32x4.abs(x)));
  const top = v128.bitselect(f32x4.mul(x, w), x, f32x4.lt(x, c(0)));
  return f32x4.div(top, f32x4.add(c(1), w));
}

/** x min(max(x + 3, 0), 6) / 6. Error: 3 u of |x|. */
// @ts-ignore: decorator
@inline
export function hardSwish4(x: v128): v128 {
  const gate = f32x4.pmin(c(6), f32x4.pmax(c(0), f32x4.add(x, c(3))));
  return f32x4.mul(x, f32x4.mul(gate, c(0.166666667)));
}

/** -1, 0 or 1. */
// @ts-ignore: decorator
@inline
export function sign4(x: v128): v128 {
  return v128.bitselect(signed(c(1), x), x, v128.or(f32x4.lt(x, c(0)), f32x4.gt(x, c(0))));
}
