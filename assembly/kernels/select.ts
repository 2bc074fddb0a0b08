/**
 * y = a where c is not 0, else b; words of any kind, over four axes with any byte strides (0 repeats an operand). y may be
 * an operand that does not repeat. Exact.
 *
 *   select_words(c, a, b, y, n0..n3, c0..c3, a0..a3, b0..b3, y0..y3)
 */

// @ts-ignore: decorator
@inline
function lanes(p: usize, stride: usize): v128 {
  return stride == 0 ? v128.load_splat<u32>(p) : v128.load(p);
}

// @ts-ignore: decorator
@inline
function dense(stride: usize): bool {
  return stride == 4 || stride == 0;
}

export function select_words(
  c: usize, a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32, c0: usize, c1: usize, c2: usize, c3: usize,
  a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, b2: usize, b3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  const rows = y3 == 4 && dense(c3) && dense(a3) && dense(b3) ? n3 & ~3 : 0;
  for (let i0 = 0; i0 < n0; i0++, c += c0, a += a0, b += b0, y += y0) {
    for (let i1 = 0, c_1 = c, a_1 = a, b_1 = b, y_1 = y; i1 < n1; i1++, c_1 += c1, a_1 += a1, b_1 += b1, y_1 += y1) {
      for (let i2 = 0, s = c_1, p = a_1, q = b_1, r = y_1; i2 < n2; i2++, s += c2, p += a2, q += b2, r += y2) {
        let t = s, u = p, v = q, w = r;
        for (let k = 0; k < rows; k += 4, t += c3 << 2, u += a3 << 2, v += b3 << 2, w += 16) {
          const none = i32x4.eq(lanes(t, c3), i32x4.splat(0));
          v128.store(w, v128.bitselect(lanes(v, b3), lanes(u, a3), none));
        }
        for (let k = rows; k < n3; k++, t += c3, u += a3, v += b3, w += y3) {
          store<u32>(w, load<u32>(load<u32>(t) != 0 ? u : v));
        }
      }
    }
  }
}
