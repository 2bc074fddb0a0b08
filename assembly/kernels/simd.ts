/**
 * The few vector helpers that every kernel shares.
 *
 * `ASC_FEATURE_RELAXED_SIMD` is a compile-time constant: compiled with `--enable relaxed-simd` a multiply-add is one
 * instruction and rounds once where the engine has it (up to twice as fast, last bits may differ between processors);
 * without it, multiply and add round separately and every engine gives the same bits.
 */

/** Activation codes, as arguments of the kernels. */
export const ACT_NONE: i32 = 0;
export const ACT_RELU: i32 = 1;
export const ACT_RELU6: i32 = 2;

/** c + a * b. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/**
 * A constant vector for a loop, given a vector of zeros that the compilers do not see through (v ^ v). V8 builds a constant
 * anew, in 4 or 5 instructions, wherever it is used; a local costs one load at most. With 18 of them, gelu took 14.4 ns a
 * vector, and takes 8.6 (Node 24, relaxed, Zen 3).
 */
// @ts-ignore: decorator
@inline
export function held(zeros: v128, value: f32): v128 {
  return v128.or(zeros, f32x4.splat(value));
}

/**
 * 1.5 * 2^23: added to |x| < 2^22 it rounds x to the nearest whole number n and leaves n in the low bits, from where
 * a shift by 23 brings it into the exponent.
 */
export const ROUNDER: f32 = 12582912;

// pmax(0, x) is one instruction on x64 in this operand order; it maps NaN and -0 to 0.

// @ts-ignore: decorator
@inline
export function relu4(x: v128): v128 {
  return f32x4.pmax(f32x4.splat(0), x);
}

// @ts-ignore: decorator
@inline
export function relu6of4(x: v128): v128 {
  return f32x4.pmin(f32x4.splat(6), f32x4.pmax(f32x4.splat(0), x));
}

// @ts-ignore: decorator
@inline
export function activate(x: v128, act: i32): v128 {
  if (act == ACT_RELU) return relu4(x);
  if (act == ACT_RELU6) return relu6of4(x);
  return x;
}

/**
 * e^x in four lanes. x is clamped to [-87.3, 88.3], so that the result is always a normal number.
 * n = nearest(x / ln 2), r = x - n ln 2 (ln 2 split in two so that the product is exact in its high part),
 * e^r by its Taylor polynomial of degree 7: |r| <= 0.3466 leaves r^8 / 8! < 5.2e-9, below half a rounding (6e-8).
 * Error: relative, at most 4 * 2^-24 inside the clamp; strict arithmetic in both variants, so the bits are the same.
 */
export function exp4(x: v128): v128 {
  x = f32x4.min(f32x4.max(x, f32x4.splat(-87.3)), f32x4.splat(88.3));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.98412698e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.38888889e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.33333333e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.16666667e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.66666667e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
  p = f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r);
  p = f32x4.add(p, f32x4.splat(1));
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, scale);
}

/** 1 / (1 + e^-x) in four lanes. Error: at most 8 * 2^-24 relative for x > -87. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}
