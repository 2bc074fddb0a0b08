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
  const bytes = <usize>c << 2, whole = xc == 4 && yc == 4 ? bytes & ~15 : 0;
  for (let b = 0; b < n; b++, x += xImage, y += yImage) {
    for (let i: usize = 0; i < <usize>oh; i++) {
      const r = rows + i * step, v = rowWeights + i * step;
      for (let j: usize = 0, q = y + i * yRow; j < <usize>ow; j++, q += yPixel) {
        const s = columns + j * step, w = columnWeights + j * step;
        if (taps == 2) linear_vectors(x, q, r, v, s, w, whole, xRow, xPixel);
        else tap_vectors(step, x, q, r, v, s, w, whole, xRow, xPixel);
        for (let k = whole >> 2; k < <usize>c; k++) {
          let sum: f32 = 0;
          for (let t: usize = 0; t < step; t += 4) {
            const line = x + <usize>load<i32>(r + t) * xRow + k * xc;
            let part: f32 = 0;
            for (let u: usize = 0; u < step; u += 4) {
              part += load<f32>(w + u) * load<f32>(line + <usize>load<i32>(s + u) * xPixel);
            }
            sum += load<f32>(v + t) * part;
          }
          store<f32>(q + k * yc, sum);
        }
      }
    }
  }
}

/** The first `bytes` of one pixel `y`, a multiple of 16, from two rows (indices r, weights v) of two pixels (s, w). */
// @ts-ignore: decorator
@inline
function linear_vectors(
  x: usize, y: usize, r: usize, v: usize, s: usize, w: usize, bytes: usize, xRow: usize, xPixel: usize,
): void {
  const upper = x + <usize>load<i32>(r) * xRow, lower = x + <usize>load<i32>(r, 4) * xRow;
  const left = <usize>load<i32>(s) * xPixel, right = <usize>load<i32>(s, 4) * xPixel;
  const v0 = v128.load_splat<f32>(v), v1 = v128.load_splat<f32>(v, 4);
  const w0 = v128.load_splat<f32>(w), w1 = v128.load_splat<f32>(w, 4);
  for (let k: usize = 0; k < bytes; k += 16) {
    const a = madd(w1, v128.load(upper + right + k), f32x4.mul(w0, v128.load(upper + left + k)));
    const b = madd(w1, v128.load(lower + right + k), f32x4.mul(w0, v128.load(lower + left + k)));
    v128.store(y + k, madd(v1, b, f32x4.mul(v0, a)));
  }
}

/** The same for any number of taps, `step` bytes of each table. */
// @ts-ignore: decorator
@inline
function tap_vectors(
  step: usize, x: usize, y: usize, r: usize, v: usize, s: usize, w: usize, bytes: usize, xRow: usize, xPixel: usize,
): void {
  for (let k: usize = 0; k < bytes; k += 16) {
    let sum = f32x4.splat(0);
    for (let t: usize = 0; t < step; t += 4) {
      const line = x + <usize>load<i32>(r + t) * xRow + k;
      let part = f32x4.splat(0);
      for (let u: usize = 0; u < step; u += 4) {
        part = madd(v128.load_splat<f32>(w + u), v128.load(line + <usize>load<i32>(s + u) * xPixel), part);
      }
      sum = madd(v128.load_splat<f32>(v + t), part, sum);
    }
    v128.store(y + k, sum);
  }
}
