import { madd } from "./simd";

/**
 * Images [n, h, w, c] of another size. What each output row and column is made of stands in tables: indices (i32) of its
 * inputs, and for `resize_taps` as many weights (f32). Strides are bytes; vectors run over contiguous channels.
 */

/** One input for each output: words of any kind, exact. */
export function resize_nearest(
  x: usize, y: usize, rows: usize, columns: usize, n: i32, oh: i32, ow: i32, c: i32,
  xImage: usize, xRow: usize, xPixel: usize, xc: usize, yImage: usize, yRow: usize, yPixel: usize, yc: usize,
): void {
  const bytes = xc == 4 && yc == 4 ? <usize>c << 2 : 0, whole = bytes & ~15;
  for (let b = 0; b < n; b++, x += xImage, y += yImage) {
    for (let i: usize = 0; i < <usize>oh; i++) {
      const line = x + <usize>load<i32>(rows + (i << 2)) * xRow;
      for (let j: usize = 0, q = y + i * yRow; j < <usize>ow; j++, q += yPixel) {
        const p = line + <usize>load<i32>(columns + (j << 2)) * xPixel;
        let k: usize = 0;
        for (; k < whole; k += 16) v128.store(q + k, v128.load(p + k));
        for (; k < bytes; k += 4) store<u32>(q + k, load<u32>(p + k));
        if (bytes == 0) {
          for (let k: usize = 0; k < <usize>c; k++) store<u32>(q + k * yc, load<u32>(p + k * xc));
        }
      }
    }
  }
}

/**
 * Weighted sums of `taps` rows of `taps` pixels, f32, columns before rows.
 * Error: for each axis as many roundings as taps, relative to the sum of |weight * weight * x|.
 */
export function resize_taps(
  taps: i32, x: usize, y: usize, rows: usize, rowWeights: usize, columns: usize, columnWeights: usize,
  n: i32, oh: i32, ow: i32, c: i32, xImage: usize, xRow: usize, xPixel: usize, xc: usize,
  yImage: usize, yRow: usize, yPixel: usize, yc: usize,
): void {
  const step = <usize>taps << 2;
  const whole = xc == 4 && yc == 4 ? <usize>c & ~3 : 0, rest = <usize>c - whole;
  for (let b = 0; b < n; b++, x += xImage, y += yImage) {
    for (let i: usize = 0; i < <usize>oh; i++) {
      const r = rows + i * step, v = rowWeights + i * step;
      for (let j: usize = 0, q = y + i * yRow; j < <usize>ow; j++, q += yPixel) {
        const s = columns + j * step, w = columnWeights + j * step;
        if (taps == 2) linear_pixel(x, q, r, v, s, w, whole, rest, xRow, xPixel, xc, yc);
        else tap_pixel(step, x, q, r, v, s, w, whole, rest, xRow, xPixel, xc, yc);
      }
    }
  }
}

/**
 * One pixel `y` from two rows (indices r, weights v) of two pixels (s, w): `whole` contiguous channels, a multiple of
 * four, then `rest` channels xc and yc bytes apart.
 */
// @ts-ignore: decorator
@inline
function linear_pixel(
  x: usize, y: usize, r: usize, v: usize, s: usize, w: usize, whole: usize, rest: usize,
  xRow: usize, xPixel: usize, xc: usize, yc: usize,
): void {
  const upper = x + <usize>load<i32>(r) * xRow, lower = x + <usize>load<i32>(r, 4) * xRow;
  const left = <usize>load<i32>(s) * xPixel, right = <usize>load<i32>(s, 4) * xPixel;
  const v0 = load<f32>(v), v1 = load<f32>(v, 4), w0 = load<f32>(w), w1 = load<f32>(w, 4);
  let p: usize = 0;
  if (whole) {
    const t0 = f32x4.splat(v0), t1 = f32x4.splat(v1), u0 = f32x4.splat(w0), u1 = f32x4.splat(w1);
    for (const end = whole << 2; p < end; p += 16) {
      const a = madd(u1, v128.load(upper + right + p), f32x4.mul(u0, v128.load(upper + left + p)));
      const b = madd(u1, v128.load(lower + right + p), f32x4.mul(u0, v128.load(lower + left + p)));
      v128.store(y + p, madd(t1, b, f32x4.mul(t0, a)));
    }
  }
  for (let q = y + p, k: usize = 0; k < rest; k++, p += xc, q += yc) {
    const a = w0 * load<f32>(upper + left + p) + w1 * load<f32>(upper + right + p);
    const b = w0 * load<f32>(lower + left + p) + w1 * load<f32>(lower + right + p);
    store<f32>(q, v0 * a + v1 * b);
  }
}

/** The same for any number of taps, `step` bytes of each table. */
// @ts-ignore: decorator
@inline
function tap_pixel(
  step: usize, x: usize, y: usize, r: usize, v: usize, s: usize, w: usize, whole: usize, rest: usize,
  xRow: usize, xPixel: usize, xc: usize, yc: usize,
): void {
  let p: usize = 0;
  for (const end = whole << 2; p < end; p += 16) {
    let sum = f32x4.splat(0);
    for (let t: usize = 0; t < step; t += 4) {
      const line = x + <usize>load<i32>(r + t) * xRow + p;
      let part = f32x4.splat(0);
      for (let u: usize = 0; u < step; u += 4) {
        part = madd(v128.load_splat<f32>(w + u), v128.load(line + <usize>load<i32>(s + u) * xPixel), part);
      }
      sum = madd(v128.load_splat<f32>(v + t), part, sum);
    }
    v128.store(y + p, sum);
  }
  for (let q = y + p, k: usize = 0; k < rest; k++, p += xc, q += yc) {
    let sum: f32 = 0;
    for (let t: usize = 0; t < step; t += 4) {
      const line = x + <usize>load<i32>(r + t) * xRow + p;
      let part: f32 = 0;
      for (let u: usize = 0; u < step; u += 4) part += load<f32>(w + u) * load<f32>(line + <usize>load<i32>(s + u) * xPixel);
      sum += load<f32>(v + t) * part;
    }
    store<f32>(q, sum);
  }
}
