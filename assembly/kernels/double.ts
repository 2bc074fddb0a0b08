/**
 * Functions of single numbers that are computed in f64 and rounded once to f32: their error is one rounding and a
 * fraction far below it.
 */

/** 2 / pi. */
// @ts-ignore: decorator
@inline
const INVERSE: f64 = 0.6366197723675814;

/** x - n pi / 2. pi / 2 in three parts of 33 bits: their products with n < 2^20 are exact. */
// @ts-ignore: decorator
@inline
function remainder(x: f64, n: f64): f64 {
  const r = x - n * 1.5707963267341256 - n * 6.077100506303966e-11 - n * 2.0222662487111665e-21;
  return min(max(r, -0.7854), 0.7854);
}

// @ts-ignore: decorator
@inline
function sine(r: f64): f64 {
  const z = r * r;
  return r + r * z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800)))));
}

// @ts-ignore: decorator
@inline
function cosine(r: f64): f64 {
  const z = r * r;
  return 1 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 + z * (1.0 / 479001600))))));
}

/**
 * sin(x + quarter pi / 2). Taylor to degree 11 and 12 on [-pi/4, pi/4]: 1e-11. Within one rounding of 1 for
 * |x| <= 2^26; above it the multiple of pi is not known well enough and the value is some number in [-1, 1].
 */
export function circular(x: f32, quarter: i32): f32 {
  const n = nearest(<f64>x * INVERSE);
  const r = remainder(x, n);
  const q = <i32><i64>n + quarter;
  const y = q & 1 ? cosine(r) : sine(r);
  return <f32>(q & 2 ? -y : y);
}

/** ln x of a positive normal f64 by the series of artanh, relative 1e-14. */
function logarithm(x: f64): f64 {
  const bits = reinterpret<i64>(x) - 0x3fe6a09e667f3bcd;
  const e = bits >> 52;
  const f = reinterpret<f64>((bits & 0xfffffffffffff) + 0x3fe6a09e667f3bcd) - 1;
  const s = f / (2 + f), z = s * s;
  const p = 1 + z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z * (1.0 / 17))))))));
  return <f64>e * 0.6931471805599453 + 2 * s * p;
}

/** e^x for |x| <= 200 by Taylor to degree 11 on [-ln 2 / 2, ln 2 / 2]: 1e-14. */
function exponential(x: f64): f64 {
  const n = nearest(x * 1.4426950408889634);
  const r = x - n * 0.6931471805599453;
  let p: f64 = 1.0 / 39916800;
  p = 1.0 / 3628800 + r * p;
  p = 1.0 / 362880 + r * p;
  p = 1.0 / 40320 + r * p;
  p = 1.0 / 5040 + r * p;
  p = 1.0 / 720 + r * p;
  p = 1.0 / 120 + r * p;
  p = 1.0 / 24 + r * p;
  p = 1.0 / 6 + r * p;
  p = 0.5 + r * p;
  p = 1 + r * (1 + r * p);
  return p * reinterpret<f64>((<i64>n + 1023) << 52);
}

/** a^b as C's `pow`: 1 for b = 0 or a = 1, NaN for a below 0 with a fraction in b. Error: one rounding and 1e-12. */
export function power(a: f32, b: f32): f32 {
  if (b == 0 || a == 1) return 1;
  if (a != a || b != b) return NaN;
  const size = abs(a);
  const whole = trunc(b) == b;
  const odd = whole && abs(b) < 16777216 && (<i32>b & 1) != 0;
  let y: f32;
  if (abs(b) == Infinity) {
    y = size == 1 ? 1 : size > 1 == b > 0 ? Infinity : 0;
  } else if (size == 0 || size == Infinity) {
    y = size == 0 == b > 0 ? 0 : Infinity;
  } else {
    if (a < 0 && !whole) return NaN;
    y = <f32>exponential(min(max(<f64>b * logarithm(size), -200), 200));
  }
  return odd ? copysign<f32>(y, a) : y;
}

/** a^b modulo 2^32; a negative exponent gives the fraction truncated, 0 for 1 / 0. */
export function integerPower(a: i32, b: i32): i32 {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  let result: i32 = 1;
  for (; b > 0; b >>= 1, a *= a) if (b & 1) result *= a;
  return result;
}
