/**
 * Between reals and integers of a scale and a zero point, over four axes with any byte strides; y may be x.
 *
 *   quantize_words(x, t, y, n0..n3, x0..x3, t0..t3, y0..y3, rounding)        f32 -> i32
 *   fake_quantize_words(x, t, y, n0..n3, x0..x3, t0..t3, y0..y3, rounding)   f32 -> f32
 *   dequantize_words(x, t, y, n0..n3, x0..x3, t0..t3, y0..y3)            i32 -> f32
 *
 * t: a table of {scale, lowest, highest f32, zero point i32}, the bounds less the zero point; strides of 16 bytes along the
 * axis that has scales of its own, else 0. rounding: halves away from zero (0), to the even integer (1), or away from zero with
 * the zero point added (2). The quotient is rounded to f32 as ONNX Runtime and TFLite do; the integer is exact after that, the
 * real has one rounding.
 * NaN becomes the zero point; fake_quantize keeps it.
 */

/** To the nearest integer; halves away from zero. What is cut off is exact, so 0.49999997 goes down. */
// @ts-ignore: decorator
@inline
function roundAway(x: v128): v128 {
  const whole = f32x4.trunc(x);
  const up = f32x4.ge(f32x4.abs(f32x4.sub(x, whole)), f32x4.splat(0.5));
  const one = v128.bitselect(f32x4.splat(1), x, i32x4.splat(0x7fffffff));
  return f32x4.add(whole, v128.and(up, one));
}

/** The integer less the zero point, as a float. */
// @ts-ignore: decorator
@inline
function steps(x: v128, t: usize, rounding: i32): v128 {
  const quotient = f32x4.div(x, v128.load_splat<f32>(t));
  let whole: v128;
  if (rounding == 1) {
    whole = f32x4.nearest(quotient);
  } else if (rounding == 2) {
    const zero = f32x4.convert_i32x4_s(v128.load_splat<u32>(t, 12));
    whole = f32x4.sub(roundAway(f32x4.add(quotient, zero)), zero);
  } else {
    whole = roundAway(quotient);
  }
  return f32x4.min(f32x4.max(whole, v128.load_splat<f32>(t, 4)), v128.load_splat<f32>(t, 8));
}

const QUANTIZE: i32 = 0;
const FAKE: i32 = 1;
const DEQUANTIZE: i32 = 2;

// @ts-ignore: decorator
@inline
function apply(kind: i32, x: v128, t: usize, rounding: i32): v128 {
  const zero = v128.load_splat<u32>(t, 12);
  if (kind == QUANTIZE) return i32x4.add(i32x4.trunc_sat_f32x4_s(steps(x, t, rounding)), zero);
  if (kind == FAKE) return f32x4.mul(steps(x, t, rounding), v128.load_splat<f32>(t));
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(x, zero)), v128.load_splat<f32>(t));
}

// @ts-ignore: decorator
@inline
function each(
  kind: i32, x: usize, t: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, t0: usize, t1: usize, t2: usize, t3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize, rounding: i32,
): void {
  const rows = x3 == 4 && y3 == 4 && t3 == 0 ? n3 & ~3 : 0;
  for (let i0 = 0; i0 < n0; i0++, x += x0, t += t0, y += y0) {
    for (let i1 = 0, p1 = x, q1 = t, r1 = y; i1 < n1; i1++, p1 += x1, q1 += t1, r1 += y1) {
      for (let i2 = 0, p2 = p1, q = q1, r2 = r1; i2 < n2; i2++, p2 += x2, q += t2, r2 += y2) {
        let p = p2, r = r2;
        for (let k = 0; k < rows; k += 4, p += 16, r += 16) v128.store(r, apply(kind, v128.load(p), q, rounding));
        for (let k = rows, u = q; k < n3; k++, p += x3, u += t3, r += y3) {
          v128.store_lane<f32>(r, apply(kind, v128.load_splat<f32>(p), u, rounding), 0);
        }
      }
    }
  }
}

export function quantize_words(
  x: usize, t: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize,
  t0: usize, t1: usize, t2: usize, t3: usize, y0: usize, y1: usize, y2: usize, y3: usize, rounding: i32,
): void {
  each(QUANTIZE, x, t, y, n0, n1, n2, n3, x0, x1, x2, x3, t0, t1, t2, t3, y0, y1, y2, y3, rounding);
}

export function fake_quantize_words(
  x: usize, t: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize,
  t0: usize, t1: usize, t2: usize, t3: usize, y0: usize, y1: usize, y2: usize, y3: usize, rounding: i32,
): void {
  each(FAKE, x, t, y, n0, n1, n2, n3, x0, x1, x2, x3, t0, t1, t2, t3, y0, y1, y2, y3, rounding);
}

export function dequantize_words(
  x: usize, t: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize,
  t0: usize, t1: usize, t2: usize, t3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  each(DEQUANTIZE, x, t, y, n0, n1, n2, n3, x0, x1, x2, x3, t0, t1, t2, t3, y0, y1, y2, y3, 0);
}
