/**
 * y = f(x), element by element, over four axes with any byte strides; y may be x. One function for each f, so that a
 * package holds only those that it calls:
 *
 *   unary_<f>(x, y, n0..n3, x0..x3, y0..y3, a, b)
 *
 * a, b: alpha and beta of hard_sigmoid, alpha and gamma of selu, alpha of elu and leaky_relu, the bounds of clip; others
 * do not read them. `<to>_of_<from>` are casts, `_i32` and `not` work on integers. Runs of neighbours go four at a time, what
 * is left through the same code, so that bits do not depend on the place. Errors: math.ts, gelu.ts, double.ts; else one rounding for
 * each operation of the formula.
 */
import { circular } from "./double";
import { gelu_rows, gelu_tanh_rows } from "./gelu";
import { erf4, expAll4, expMinus1of4, hardSwish4, log4, sign4, silu4, softplus4, tanh4 } from "./math";

const ABS: i32 = 0;
const NEG: i32 = 1;
const SIGN: i32 = 2;
const FLOOR: i32 = 3;
const CEIL: i32 = 4;
const ROUND: i32 = 5;
const SQRT: i32 = 6;
const RSQRT: i32 = 7;
const RECIPROCAL: i32 = 8;
const SQUARE: i32 = 9;
const CUBE: i32 = 10;
const EXP: i32 = 11;
const LOG: i32 = 12;
const TANH: i32 = 13;
const ERF: i32 = 14;
const SOFTPLUS: i32 = 15;
const SOFTSIGN: i32 = 16;
const SILU: i32 = 17;
const HARD_SWISH: i32 = 18;
const ELU: i32 = 21;
const SELU: i32 = 22;
const LEAKY_RELU: i32 = 23;
const HARD_SIGMOID: i32 = 24;
const CLIP: i32 = 25;
const SIN: i32 = 26;
const COS: i32 = 27;
const ABS_I32: i32 = 28;
const NEG_I32: i32 = 29;
const SIGN_I32: i32 = 30;
const NOT: i32 = 31;
const F32_OF_I32: i32 = 32;
const I32_OF_F32: i32 = 33;
const I8_OF_F32: i32 = 34;
const U8_OF_F32: i32 = 35;
const BOOL_OF_F32: i32 = 36;
const I8_OF_I32: i32 = 37;
const U8_OF_I32: i32 = 38;
const BOOL_OF_I32: i32 = 39;

// @ts-ignore: decorator
@inline
function clamp(x: v128, low: i32, high: i32): v128 {
  return i32x4.min_s(i32x4.max_s(x, i32x4.splat(low)), i32x4.splat(high));
}

// @ts-ignore: decorator
@inline
function apply(kind: i32, x: v128, a: f32, b: f32): v128 {
  if (kind == ABS) return f32x4.abs(x);
  if (kind == NEG) return f32x4.neg(x);
  if (kind == SIGN) return sign4(x);
  if (kind == FLOOR) return f32x4.floor(x);
  if (kind == CEIL) return f32x4.ceil(x);
  if (kind == ROUND) return f32x4.nearest(x);
  if (kind == SQRT) return f32x4.sqrt(x);
  if (kind == RSQRT) return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
  if (kind == RECIPROCAL) return f32x4.div(f32x4.splat(1), x);
  if (kind == SQUARE) return f32x4.mul(x, x);
  if (kind == CUBE) return f32x4.mul(x, f32x4.mul(x, x));
  if (kind == EXP) return expAll4(x);
  if (kind == LOG) return log4(x);
  if (kind == TANH) return tanh4(x);
  if (kind == ERF) return erf4(x);
  if (kind == SOFTPLUS) return softplus4(x);
  if (kind == SOFTSIGN) return f32x4.div(x, f32x4.add(f32x4.splat(1), f32x4.abs(x)));
  if (kind == SILU) return silu4(x);
  if (kind == HARD_SWISH) return hardSwish4(x);
  if (kind == ELU) return v128.bitselect(x, f32x4.mul(f32x4.splat(a), expMinus1of4(x)), f32x4.gt(x, f32x4.splat(0)));
  if (kind == SELU) return f32x4.mul(f32x4.splat(b), v128.bitselect(x, f32x4.mul(f32x4.splat(a), expMinus1of4(x)), f32x4.gt(x, f32x4.splat(0))));
  if (kind == LEAKY_RELU) return v128.bitselect(x, f32x4.mul(f32x4.splat(a), x), f32x4.gt(x, f32x4.splat(0)));
  if (kind == HARD_SIGMOID) return f32x4.max(f32x4.splat(0), f32x4.min(f32x4.splat(1), f32x4.add(f32x4.mul(f32x4.splat(a), x), f32x4.splat(b))));
  if (kind == CLIP) return f32x4.min(f32x4.max(x, f32x4.splat(a)), f32x4.splat(b));
  if (kind == SIN) return f32x4.splat(circular(f32x4.extract_lane(x, 0), 0));
  if (kind == COS) return f32x4.splat(circular(f32x4.extract_lane(x, 0), 1));
  if (kind == ABS_I32) return i32x4.abs(x);
  if (kind == NEG_I32) return i32x4.neg(x);
  if (kind == SIGN_I32) return i32x4.sub(i32x4.lt_s(x, i32x4.splat(0)), i32x4.gt_s(x, i32x4.splat(0)));
  if (kind == NOT) return v128.and(i32x4.eq(x, i32x4.splat(0)), i32x4.splat(1));
  if (kind == F32_OF_I32) return f32x4.convert_i32x4_s(x);
  if (kind == I32_OF_F32) return i32x4.trunc_sat_f32x4_s(x);
  if (kind == I8_OF_F32) return clamp(i32x4.trunc_sat_f32x4_s(x), -128, 127);
  if (kind == U8_OF_F32) return clamp(i32x4.trunc_sat_f32x4_s(x), 0, 255);
  if (kind == BOOL_OF_F32) return v128.and(f32x4.ne(x, f32x4.splat(0)), i32x4.splat(1));
  if (kind == I8_OF_I32) return i32x4.shr_s(i32x4.shl(x, 24), 24);
  if (kind == U8_OF_I32) return v128.and(x, i32x4.splat(255));
  return v128.and(i32x4.ne(x, i32x4.splat(0)), i32x4.splat(1));
}

/** `wide`: whether f works on four lanes. */
// @ts-ignore: decorator
@inline
function each(
  kind: i32, wide: bool, x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize, a: f32, b: f32,
): void {
  const rows = wide && x3 == 4 && y3 == 4 ? n3 & ~3 : 0;
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, p1 = x, q1 = y; i1 < n1; i1++, p1 += x1, q1 += y1) {
      for (let i2 = 0, p2 = p1, q2 = q1; i2 < n2; i2++, p2 += x2, q2 += y2) {
        let p = p2, q = q2;
        for (let i = 0; i < rows; i += 4, p += 16, q += 16) v128.store(q, apply(kind, v128.load(p), a, b));
        for (let i = rows; i < n3; i++, p += x3, q += y3) {
          v128.store_lane<f32>(q, apply(kind, v128.load_splat<f32>(p), a, b), 0);
        }
      }
    }
  }
}

export function unary_abs(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(ABS, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_neg(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(NEG, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_sign(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SIGN, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_floor(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(FLOOR, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_ceil(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(CEIL, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_round(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(ROUND, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_sqrt(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SQRT, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_rsqrt(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(RSQRT, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_reciprocal(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(RECIPROCAL, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_square(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SQUARE, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_cube(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(CUBE, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_exp(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(EXP, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_log(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(LOG, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_tanh(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(TANH, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_erf(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(ERF, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_softplus(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SOFTPLUS, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_softsign(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SOFTSIGN, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_silu(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SILU, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_hard_swish(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(HARD_SWISH, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_gelu(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, p = x, q = y; i1 < n1; i1++, p += x1, q += y1) {
      if (x3 == 4 && y3 == 4) gelu_rows(p, q, n2, n3, x2, y2);
      else for (let i2 = 0, u = p, v = q; i2 < n2; i2++, u += x2, v += y2) gelu_rows(u, v, n3, 1, x3, y3);
    }
  }
}

export function unary_gelu_tanh(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, p = x, q = y; i1 < n1; i1++, p += x1, q += y1) {
      if (x3 == 4 && y3 == 4) gelu_tanh_rows(p, q, n2, n3, x2, y2);
      else for (let i2 = 0, u = p, v = q; i2 < n2; i2++, u += x2, v += y2) gelu_tanh_rows(u, v, n3, 1, x3, y3);
    }
  }
}

export function unary_elu(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(ELU, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_selu(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SELU, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_leaky_relu(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(LEAKY_RELU, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_hard_sigmoid(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(HARD_SIGMOID, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_clip(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(CLIP, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_sin(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SIN, false, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_cos(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(COS, false, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_abs_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(ABS_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_neg_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(NEG_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_sign_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(SIGN_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_not(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(NOT, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_f32_of_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(F32_OF_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_i32_of_f32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(I32_OF_F32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_i8_of_f32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(I8_OF_F32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_u8_of_f32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(U8_OF_F32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_bool_of_f32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(BOOL_OF_F32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_i8_of_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(I8_OF_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_u8_of_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(U8_OF_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

export function unary_bool_of_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  a: f32, b: f32,
): void {
  each(BOOL_OF_I32, true, x, y, n0, n1, n2, n3, x0, x1, x2, x3, y0, y1, y2, y3, a, b);
}

/** min(max(x, low), high) on integers; bounds as integers, so outside the common form. */
export function unary_clip_i32(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize,
  y2: usize, y3: usize, low: i32, high: i32,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, p1 = x, q1 = y; i1 < n1; i1++, p1 += x1, q1 += y1) {
      for (let i2 = 0, p2 = p1, q2 = q1; i2 < n2; i2++, p2 += x2, q2 += y2) {
        for (let i3 = 0, p = p2, q = q2; i3 < n3; i3++, p += x3, q += y3) {
          store<i32>(q, min(max(load<i32>(p), low), high));
        }
      }
    }
  }
}
