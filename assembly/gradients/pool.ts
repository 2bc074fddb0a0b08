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
  dx: usize, dxImage: usize, dxRow: usize,
  n: i32, oh: i32, ow: i32, h: i32, w: i32, channels: i32, kh: i32, kw: i32, sh: i32, sw: i32, top: i32, left: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < oh; i++) {
      const y0 = max(i * sh - top, 0), y1 = min(i * sh - top + kh, h);
      for (let j = 0; j < ow; j++) {
        const x0 = max(j * sw - left, 0), x1 = min(j * sw - left + kw, w);
        const at = <usize>j * pixel;
        const g = dy + <usize>b * dyImage + <usize>i * dyRow + at, o = y + <usize>b * yImage + <usize>i * yRow + at;
        for (let c: usize = 0; c < pixel; c += 16) {
          let rest = v128.load(g + c);
          const most = v128.load(o + c);
          for (let u = y0; u < y1; u++) {
            for (let v = x0; v < x1; v++) {
              const p = <usize>v * pixel + c;
              const hit = f32x4.eq(v128.load(x + <usize>b * xImage + <usize>u * xRow + p), most);
              const d = dx + <usize>b * dxImage + <usize>u * dxRow + p;
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
  n: i32, oh: i32, ow: i32, h: i32, w: i32, channels: i32, kh: i32, kw: i32, sh: i32, sw: i32, top: i32, left: i32,
  countIncludePad: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < oh; i++) {
      const y0 = max(i * sh - top, 0), y1 = min(i * sh - top + kh, h);
      for (let j = 0; j < ow; j++) {
        const x0 = max(j * sw - left, 0), x1 = min(j * sw - left + kw, w);
        const size = countIncludePad ? kh * kw : max((y1 - y0) * (x1 - x0), 1);
        const count = f32x4.splat(<f32>size);
        const g = dy + <usize>b * dyImage + <usize>i * dyRow + <usize>j * pixel;
        for (let c: usize = 0; c < pixel; c += 16) {
          const share = f32x4.div(v128.load(g + c), count);
          for (let u = y0; u < y1; u++) {
            for (let v = x0; v < x1; v++) {
              const d = dx + <usize>b * dxImage + <usize>u * dxRow + <usize>v * pixel + c;
              v128.store(d, f32x4.add(v128.load(d), share));
            }
          }
        }
      }
    }
  }
}
