import { end_tap, first_tap, taps_inside } from "../kernels/pool";

/** Zeros `h` rows of `count` floats of each image. */
export function clear_images(x: usize, image: usize, row: usize, n: i32, h: i32, count: i32): void {
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) memory.fill(x + <usize>b * image + <usize>i * row, 0, <usize>count << 2);
  }
}

/**
 * dx += dy at the first maximum of each window (row-major), found by comparing x with the window's output y.
 * dx must be zero before; windows are clipped at the edge. `channels` is padded to four.
 */
export function max_pool_grad(
  dy: usize, dyImage: usize, dyRow: usize, x: usize, xImage: usize, xRow: usize, y: usize, yImage: usize, yRow: usize,
  dx: usize, dxImage: usize, dxRow: usize, n: i32, oh: i32, ow: i32, h: i32, w: i32, channels: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32, top: i32, left: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < oh; i++) {
      const sy = i * sh - top;
      const y0 = first_tap(sy, dh, 0), y1 = end_tap(sy, kh, dh, h);
      for (let j = 0; j < ow; j++) {
        const sx = j * sw - left;
        const x0 = first_tap(sx, dw, 0), x1 = end_tap(sx, kw, dw, w);
        const at = <usize>j * pixel;
        const g = dy + <usize>b * dyImage + <usize>i * dyRow + at, o = y + <usize>b * yImage + <usize>i * yRow + at;
        for (let c: usize = 0; c < pixel; c += 16) {
          let rest = v128.load(g + c);
          const most = v128.load(o + c);
          for (let u = y0; u < y1; u++) {
            for (let v = x0; v < x1; v++) {
              const row = <usize>(sy + u * dh), p = <usize>(sx + v * dw) * pixel + c;
              const hit = f32x4.eq(v128.load(x + <usize>b * xImage + row * xRow + p), most);
              const d = dx + <usize>b * dxImage + row * dxRow + p;
              v128.store(d, f32x4.add(v128.load(d), v128.and(rest, hit)));
              rest = v128.andnot(rest, hit);
            }
          }
        }
      }
    }
  }
}

/** dx += dy / count over each window; dx must be zero before. Windows are clipped; count as in the forward kernel. */
export function avg_pool_grad(
  dy: usize, dyImage: usize, dyRow: usize, dx: usize, dxImage: usize, dxRow: usize,
  n: i32, oh: i32, ow: i32, h: i32, w: i32, channels: i32, kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32,
  top: i32, left: i32, cTop: i32, cLeft: i32, cBottom: i32, cRight: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < oh; i++) {
      const sy = i * sh - top;
      const y0 = first_tap(sy, dh, 0), y1 = end_tap(sy, kh, dh, h);
      const rows = taps_inside(sy, kh, dh, -cTop, h + cBottom);
      for (let j = 0; j < ow; j++) {
        const sx = j * sw - left;
        const x0 = first_tap(sx, dw, 0), x1 = end_tap(sx, kw, dw, w);
        const count = f32x4.splat(<f32>max(rows * taps_inside(sx, kw, dw, -cLeft, w + cRight), 1));
        const g = dy + <usize>b * dyImage + <usize>i * dyRow + <usize>j * pixel;
        for (let c: usize = 0; c < pixel; c += 16) {
          const share = f32x4.div(v128.load(g + c), count);
          for (let u = y0; u < y1; u++) {
            for (let v = x0; v < x1; v++) {
              const at = <usize>(sy + u * dh) * dxRow + <usize>(sx + v * dw) * pixel + c;
              const d = dx + <usize>b * dxImage + at;
              v128.store(d, f32x4.add(v128.load(d), share));
            }
          }
        }
      }
    }
  }
}
