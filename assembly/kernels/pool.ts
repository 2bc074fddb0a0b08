/**
 * Pooling windows over one NHWC image, f32; vector over channels, windows are clipped at the edge (no border needed).
 *
 *   max_pool(x, y, oh, ow, blocks, h, w, xRow, xPixel, yRow, yPixel, kh, kw, sh, sw, dh, dw, top, left)
 *   avg_pool(the same..., cTop, cLeft, cBottom, cRight)
 *
 * x, y: first real pixel; blocks: groups of 4 channels; xRow, xPixel, yRow, yPixel: bytes from row to row, pixel to pixel.
 * kh, kw taps, dh, dw pixels apart; the average is divided by the taps inside the image and the counted padding cTop..cRight.
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

/** The first of a window's taps that lies at `low` or beyond. */
// @ts-ignore: decorator
@inline
export function first_tap(start: i32, dilation: i32, low: i32): i32 {
  return start >= low ? 0 : (low - start + dilation - 1) / dilation;
}

/** One after the last of its `taps` that lies before `high`. */
// @ts-ignore: decorator
@inline
export function end_tap(start: i32, taps: i32, dilation: i32, high: i32): i32 {
  return imin(taps, start >= high ? 0 : (high - start + dilation - 1) / dilation);
}

/** How many taps of a window lie from `low` to before `high`. */
// @ts-ignore: decorator
@inline
export function taps_inside(start: i32, taps: i32, dilation: i32, low: i32, high: i32): i32 {
  return imax(end_tap(start, taps, dilation, high) - first_tap(start, dilation, low), 0);
}

export function max_pool(
  x: usize, y: usize, oh: i32, ow: i32, blocks: i32, h: i32, w: i32, xRow: usize, xPixel: usize, yRow: usize, yPixel: usize,
  kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32, top: i32, left: i32,
): void {
  const channels = <usize>blocks << 4;
  const rowStep = <usize>dh * xRow, pixelStep = <usize>dw * xPixel;
  for (let oy = 0; oy < oh; oy++) {
    const sy = oy * sh - top;
    const y0 = first_tap(sy, dh, 0), y1 = end_tap(sy, kh, dh, h);
    for (let ox = 0; ox < ow; ox++) {
      const sx = ox * sw - left;
      const x0 = first_tap(sx, dw, 0), x1 = end_tap(sx, kw, dw, w);
      const from = x + <usize>(sy + y0 * dh) * xRow + <usize>(sx + x0 * dw) * xPixel;
      const to = y + <usize>oy * yRow + <usize>ox * yPixel;
      for (let c: usize = 0; c < channels; c += 16) {
        let best = f32x4.splat(-Infinity);
        for (let ky = y0, row = from + c; ky < y1; ky++, row += rowStep) {
          for (let kx = x0, p = row; kx < x1; kx++, p += pixelStep) best = f32x4.max(best, v128.load(p));
        }
        v128.store(to + c, best);
      }
    }
  }
}

export function avg_pool(
  x: usize, y: usize, oh: i32, ow: i32, blocks: i32, h: i32, w: i32, xRow: usize, xPixel: usize, yRow: usize, yPixel: usize,
  kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32, top: i32, left: i32,
  cTop: i32, cLeft: i32, cBottom: i32, cRight: i32,
): void {
  const channels = <usize>blocks << 4;
  const rowStep = <usize>dh * xRow, pixelStep = <usize>dw * xPixel;
  for (let oy = 0; oy < oh; oy++) {
    const sy = oy * sh - top;
    const y0 = first_tap(sy, dh, 0), y1 = end_tap(sy, kh, dh, h);
    const rows = taps_inside(sy, kh, dh, -cTop, h + cBottom);
    for (let ox = 0; ox < ow; ox++) {
      const sx = ox * sw - left;
      const x0 = first_tap(sx, dw, 0), x1 = end_tap(sx, kw, dw, w);
      const n = f32x4.splat(<f32>imax(rows * taps_inside(sx, kw, dw, -cLeft, w + cRight), 1));
      const from = x + <usize>(sy + y0 * dh) * xRow + <usize>(sx + x0 * dw) * xPixel;
      const to = y + <usize>oy * yRow + <usize>ox * yPixel;
      for (let c: usize = 0; c < channels; c += 16) {
        let sum = f32x4.splat(0);
        for (let ky = y0, row = from + c; ky < y1; ky++, row += rowStep) {
          for (let kx = x0, p = row; kx < x1; kx++, p += pixelStep) sum = f32x4.add(sum, v128.load(p));
        }
        v128.store(to + c, f32x4.div(sum, n));
      }
    }
  }
}
