/**
 * y = f(a, b), element by element, over four axes with any byte strides (0 repeats an operand); y may be an operand that
 * does not repeat. One function for each f, so that a package holds only those that it calls:
 *
 *   binary_<f>(a, b, y, n0..n3, a0..a3, b0..b3, y0..y3)
 *
 * `_i32` and the logical ones work on integers, which wrap around; division by zero gives 0. Comparisons give 0 or 1.
 * Runs of neighbours go four at a time. Error: one rounding; floor_div, mod_trunc: none before that; pow: double.ts.
 * min and max of a NaN are NaN.
 */
import { integerPower, power } from "./double";

const SUB: i32 = 0;
const DIV: i32 = 1;
const MIN: i32 = 2;
const MAX: i32 = 3;
const PRELU: i32 = 4;
const EQUAL: i32 = 5;
const NOT_EQUAL: i32 = 6;
const LESS: i32 = 7;
const LESS_EQUAL: i32 = 8;
const ADD_I32: i32 = 9;
const SUB_I32: i32 = 10;
const MUL_I32: i32 = 11;
const MIN_I32: i32 = 12;
const MAX_I32: i32 = 13;
const EQUAL_I32: i32 = 14;
const NOT_EQUAL_I32: i32 = 15;
const LESS_I32: i32 = 16;
const LESS_EQUAL_I32: i32 = 17;
const AND: i32 = 18;
const OR: i32 = 19;
const XOR: i32 = 20;
const POW: i32 = 21;
const FLOOR_DIV: i32 = 22;
const MOD_TRUNC: i32 = 23;
const FLOOR_MOD: i32 = 24;
const DIV_I32: i32 = 25;
const FLOOR_DIV_I32: i32 = 26;
const MOD_TRUNC_I32: i32 = 27;
const FLOOR_MOD_I32: i32 = 28;
const POW_I32: i32 = 29;

// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, i32x4.splat(1));
}

// @ts-ignore: decorator
@inline
function f(x: v128): f32 {
  return f32x4.extract_lane(x, 0);
}

// @ts-ignore: decorator
@inline
function i(x: v128): i32 {
  return i32x4.extract_lane(x, 0);
}

function floorMod(a: f32, b: f32): f32 {
  const r = a % b;
  return r != 0 && r < 0 != b < 0 ? r + b : r;
}

// The instructions stop the module for x / 0 and for -2^31 / -1.

function divide(a: i32, b: i32): i32 {
  if (b == 0) return 0;
  return b == -1 ? -a : a / b;
}

function remainder(a: i32, b: i32): i32 {
  return b == 0 || b == -1 ? 0 : a % b;
}

function floorDivide(a: i32, b: i32): i32 {
  const r = remainder(a, b);
  const q = divide(a, b);
  return r != 0 && r < 0 != b < 0 ? q - 1 : q;
}

function floorRemainder(a: i32, b: i32): i32 {
  const r = remainder(a, b);
  return r != 0 && r < 0 != b < 0 ? r + b : r;
}

// @ts-ignore: decorator
@inline
function apply(kind: i32, a: v128, b: v128): v128 {
  if (kind == SUB) return f32x4.sub(a, b);
  if (kind == DIV) return f32x4.div(a, b);
  if (kind == MIN) return f32x4.min(a, b);
  if (kind == MAX) return f32x4.max(a, b);
  if (kind == PRELU) return v128.bitselect(a, f32x4.mul(a, b), f32x4.gt(a, f32x4.splat(0)));
  if (kind == EQUAL) return truth(f32x4.eq(a, b));
  if (kind == NOT_EQUAL) return truth(f32x4.ne(a, b));
  if (kind == LESS) return truth(f32x4.lt(a, b));
  if (kind == LESS_EQUAL) return truth(f32x4.le(a, b));
  if (kind == ADD_I32) return i32x4.add(a, b);
  if (kind == SUB_I32) return i32x4.sub(a, b);
  if (kind == MUL_I32) return i32x4.mul(a, b);
  if (kind == MIN_I32) return i32x4.min_s(a, b);
  if (kind == MAX_I32) return i32x4.max_s(a, b);
  if (kind == EQUAL_I32) return truth(i32x4.eq(a, b));
  if (kind == NOT_EQUAL_I32) return truth(i32x4.ne(a, b));
  if (kind == LESS_I32) return truth(i32x4.lt_s(a, b));
  if (kind == LESS_EQUAL_I32) return truth(i32x4.le_s(a, b));
  if (kind == AND) return v128.and(a, b);
  if (kind == OR) return v128.or(a, b);
  if (kind == XOR) return v128.xor(a, b);
  if (kind == POW) return f32x4.splat(power(f(a), f(b)));
  if (kind == FLOOR_DIV) return f32x4.splat(<f32>floor(<f64>f(a) / <f64>f(b)));
  if (kind == MOD_TRUNC) return f32x4.splat(f(a) % f(b));
  if (kind == FLOOR_MOD) return f32x4.splat(floorMod(f(a), f(b)));
  if (kind == DIV_I32) return i32x4.splat(divide(i(a), i(b)));
  if (kind == FLOOR_DIV_I32) return i32x4.splat(floorDivide(i(a), i(b)));
  if (kind == MOD_TRUNC_I32) return i32x4.splat(remainder(i(a), i(b)));
  if (kind == FLOOR_MOD_I32) return i32x4.splat(floorRemainder(i(a), i(b)));
  return i32x4.splat(integerPower(i(a), i(b)));
}

/** Four neighbours, or one element four times. */
// @ts-ignore: decorator
@inline
function lanes(p: usize, stride: usize): v128 {
  return stride == 0 ? v128.load_splat<f32>(p) : v128.load(p);
}

/** `wide`: whether f works on four lanes. */
// @ts-ignore: decorator
@inline
function each(
  kind: i32, wide: bool, a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, b2: usize, b3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  const dense = y3 == 4 && (a3 == 4 || a3 == 0) && (b3 == 4 || b3 == 0);
  const rows = wide && dense ? n3 & ~3 : 0;
  for (let i0 = 0; i0 < n0; i0++, a += a0, b += b0, y += y0) {
    for (let i1 = 0, p1 = a, q1 = b, r1 = y; i1 < n1; i1++, p1 += a1, q1 += b1, r1 += y1) {
      for (let i2 = 0, p2 = p1, q2 = q1, r2 = r1; i2 < n2; i2++, p2 += a2, q2 += b2, r2 += y2) {
        let p = p2, q = q2, r = r2;
        for (let k = 0; k < rows; k += 4, p += a3 << 2, q += b3 << 2, r += 16) {
          v128.store(r, apply(kind, lanes(p, a3), lanes(q, b3)));
        }
        for (let k = rows; k < n3; k++, p += a3, q += b3, r += y3) {
          v128.store_lane<f32>(r, apply(kind, v128.load_splat<f32>(p), v128.load_splat<f32>(q)), 0);
        }
      }
    }
  }
}

export function binary_sub(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(SUB, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_div(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(DIV, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_min(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MIN, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_max(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MAX, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_prelu(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(PRELU, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_equal(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(EQUAL, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_not_equal(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(NOT_EQUAL, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_less(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(LESS, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_less_equal(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(LESS_EQUAL, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_add_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(ADD_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_sub_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(SUB_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_mul_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MUL_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_min_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MIN_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_max_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MAX_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_equal_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(EQUAL_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_not_equal_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(NOT_EQUAL_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_less_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(LESS_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_less_equal_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(LESS_EQUAL_I32, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_and(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(AND, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_or(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(OR, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_xor(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(XOR, true, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_pow(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(POW, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_floor_div(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(FLOOR_DIV, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_mod_trunc(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MOD_TRUNC, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_floor_mod(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(FLOOR_MOD, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_div_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(DIV_I32, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_floor_div_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(FLOOR_DIV_I32, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_mod_trunc_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(MOD_TRUNC_I32, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_floor_mod_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(FLOOR_MOD_I32, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}

export function binary_pow_i32(
  a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, a0: usize, a1: usize, a2: usize, a3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(POW_I32, false, a, b, y, n0, n1, n2, n3, a0, a1, a2, a3, b0, b1, b2, b3, y0, y1, y2, y3);
}
