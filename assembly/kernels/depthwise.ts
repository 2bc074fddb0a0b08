/**
 * Depthwise convolution of one NHWC image, f32, any window, stride and dilation, sizes as arguments.
 *
 *   depthwise(x, w, y, rows, cols, blocks, xRow, xCol, yRow, yCol, kh, kw, kyStep, kxStep, act)
 *
 * x: address of the first window's first pixel: the image lies in a buffer with a zero border, so windows never leave it.
 * w: panels [C/4][bias | kh*kw][4]; y: first output pixel; blocks: groups of 4 channels.
 * xRow, xCol: bytes in x from one output row or column to the next (stride * pitch); yRow, yCol: the same in y.
 * kyStep, kxStep: bytes in x from one tap to the next (dilation * pitch). act: see simd.ts.
 * Order: bias, then ky, kx ascending. Error: 2*kh*kw + 1 roundings of |bias| + sum |x * w|.
 *
 * The device build writes the same sums with constant offsets (src/kernels/depthwise-source.ts), bit for bit.
 */
import { activate, madd } from "./simd";

export function depthwise(
  x: usize, w: usize, y: usize, rows: i32, cols: i32, blocks: i32, xRow: usize, xCol: usize, yRow: usize, yCol: usize,
  kh: i32, kw: i32, kyStep: usize, kxStep: usize, act: i32,
): void {
  const channels = <usize>blocks << 4;
  const panel = <usize>(kh * kw + 1) << 4;
  const wide = cols & ~3;
  const x2 = xCol * 2, x3 = xCol * 3, y2 = yCol * 2, y3 = yCol * 3;
  for (let i = 0; i < rows; i++, x += xRow, y += yRow) {
    let a = x, b = y, j = 0;
    for (; j < wide; j += 4, a += xCol << 2, b += yCol << 2) {
      for (let c: usize = 0, p = w; c < channels; c += 16, p += panel) {
        let c0 = v128.load(p), c1 = c0, c2 = c0, c3 = c0;
        let q = p + 16;
        for (let ky = 0, ay = a + c; ky < kh; ky++, ay += kyStep) {
          for (let kx = 0, ax = ay; kx < kw; kx++, ax += kxStep, q += 16) {
            const k = v128.load(q);
            c0 = madd(v128.load(ax), k, c0);
            c1 = madd(v128.load(ax + xCol), k, c1);
            c2 = madd(v128.load(ax + x2), k, c2);
            c3 = madd(v128.load(ax + x3), k, c3);
          }
        }
        v128.store(b + c, activate(c0, act));
        v128.store(b + yCol + c, activate(c1, act));
        v128.store(b + y2 + c, activate(c2, act));
        v128.store(b + y3 + c, activate(c3, act));
      }
    }
    for (; j < cols; j++, a += xCol, b += yCol) {
      for (let c: usize = 0, p = w; c < channels; c += 16, p += panel) {
        let c0 = v128.load(p);
        let q = p + 16;
        for (let ky = 0, ay = a + c; ky < kh; ky++, ay += kyStep) {
          for (let kx = 0, ax = ay; kx < kw; kx++, ax += kxStep, q += 16) c0 = madd(v128.load(ax), v128.load(q), c0);
        }
        v128.store(b + c, activate(c0, act));
      }
    }
  }
}
