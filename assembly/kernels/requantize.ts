/**
 * Sums of integers in another scale, over four axes with any byte strides; y may be x.
 *
 *   requantize_words(x, t, y, n0..n3, x0..x3, t0..t3, y0..y3, low, high, from_f32, to_f32, once)
 *
 * t: a table of {multiplier in units of 2^-31, bits to the left, bits to the right, 4 bytes}; strides of 16 bytes along the axis
 * that has entries of its own, else 0. The product is rounded (halves up), then shifted to the right and rounded again
 * (halves away from zero); with `once`, it is rounded after the shift alone (halves up). Exact.
 */

// @ts-ignore: decorator
@inline
function requantised(x: i32, t: usize, once: i32): i32 {
  const product = <i64>(x << load<i32>(t, 4)) * <i64>load<i32>(t), right = load<i32>(t, 8);
  if (once) return <i32>((product + (<i64>1 << (30 + right))) >> (31 + right));
  const high = <i32>((product + (<i64>1 << 30)) >> 31);
  if (right == 0) return high;
  const half = <i64>1 << (right - 1);
  return <i32>((<i64>high + half - <i64>(high < 0)) >> right);
}

export function requantize_words(
  x: usize, t: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize,
  t0: usize, t1: usize, t2: usize, t3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
  low: i32, high: i32, from: i32, to: i32, once: i32,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, t += t0, y += y0) {
    for (let i1 = 0, p1 = x, q1 = t, r1 = y; i1 < n1; i1++, p1 += x1, q1 += t1, r1 += y1) {
      for (let i2 = 0, p2 = p1, q2 = q1, r2 = r1; i2 < n2; i2++, p2 += x2, q2 += t2, r2 += y2) {
        for (let i3 = 0, p = p2, q = q2, r = r2; i3 < n3; i3++, p += x3, q += t3, r += y3) {
          const sum = from ? <i32>load<f32>(p) : load<i32>(p);
          const whole = min(max(requantised(sum, q, once), low), high);
          if (to) store<f32>(r, <f32>whole);
          else store<i32>(r, whole);
        }
      }
    }
  }
}
