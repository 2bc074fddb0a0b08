/**
 * Pooling windows over one NHWC image, f32; vector over channels, windows are clipped at the edge (no border needed).
 *
 *   max_pool(x, y, oh, ow, blocks, h, w, xRow, xPixel, yRow, yPixel, kh, kw, sh, sw, top, left)
 *   avg_pool(the same..., countIncludePad)
 *
 * x, y: first real pixel; blocks: groups of 4 channels; xRow, xPixel, yRow, yPixel: bytes from row to row, pixel to pixel.
 * A window that lies wholly in the padding gives 0 (average) or -infinity (maximum).
 * Order: ky, kx ascending. Error: maximum exact; average: kh*kw roundings of the sum of |x| / count.
 */

// @ts-ignore: decorator
@inline
function imin(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

// @ts-ignore: decorator
@inline
function imax(a: i32, b: i32): i32 {
  return a > b ? a : b;
}

export function max_pool(
  x: usize, y: usize, oh: i32, ow: i32, blocks: i32, h: i32, w: i32, xRow: usize, xPixel: usize, yRow: usize, yPixel: usize,
  kh: i32, kw: i32, sh: i32, sw: i32, top: i32, left: i32,
): void {
  const channels = <usize>blocks << 4;
  for (let oy = 0; oy < oh; oy++) {
    const y0 = imax(oy * sh - top, 0), y1 = imin(oy * sh - top + kh, h);
    for (let ox = 0; ox < ow; ox++) {
      const x0 = imax(ox * sw - left, 0), x1 = imin(ox * sw - left + kw, w);
      const from = x + <usize>y0 * xRow + <usize>x0 * xPixel;
      const to = y + <usize>oy * yRow + <usize>ox * yPixel;
      for (let c: usize = 0; c < channels; c += 16) {
        let best = f32x4.splat(-Infinity);
        for (let iy = y0, row = from + c; iy < y1; iy++, row += xRow) {
          for (let ix = x0, p = row; ix < x1; ix++, p += xPixel) best = f32x4.max(best, v128.load(p));
        }
        v128.store(to + c, best);
      }
    }
  }
}

export function avg_pool(
  x: usize, y: usize, oh: i32, ow: i32, blocks: i32, h: i32, w: i32, xRow: usize, xPixel: usize, yRow: usize, yPixel: usize,
  kh: i32, kw: i32, sh: i32, sw: i32, top: i32, left: i32, countIncludePad: i32,
): void {
  const channels = <usize>blocks << 4;
  for (let oy = 0; oy < oh; oy++) {
    const y0 = imax(oy * sh - top, 0), y1 = imin(oy * sh - top + kh, h);
    for (let ox = 0; ox < ow; ox++) {
      const x0 = imax(ox * sw - left, 0), x1 = imin(ox * sw - left + kw, w);
      const count = countIncludePad ? kh * kw : imax((y1 - y0) * (x1 - x0), 1);
      const n = f32x4.splat(<f32>count);
      const from = x + <usize>y0 * xRow + <usize>x0 * xPixel;
      const to = y + <usize>oy * yRow + <usize>ox * yPixel;
      for (let c: usize = 0; c < channels; c += 16) {
        let sum = f32x4.splat(0);
        for (let iy = y0, row = from + c; iy < y1; iy++, row += xRow) {
          for (let ix = x0, p = row; ix < x1; ix++, p += xPixel) sum = f32x4.add(sum, v128.load(p));
        }
        v128.store(to + c, f32x4.div(sum, n));
      }
    }
  }
}
