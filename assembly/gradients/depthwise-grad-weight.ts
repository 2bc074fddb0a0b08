import { madd } from "../kernels/simd";
import { zero } from "./vector";

/**
 * Gradient of a depthwise convolution by its weights:
 * dw[ky, kx, c] = sum over images, rows and columns of x[i*sh + ky*dh, j*sw + kx*dw, c] * dy[i, j, c].
 * Shapes: x haloed, dy with strides; dw [kh, kw, channels], channels padded to four.
 * Error:  n*oh*ow products, summed row by row and then over the rows.
 */
export function depthwise_grad_weight(
  x: usize, xImage: usize, xRow: usize, xStep: usize, xTapRow: usize, xTapColumn: usize,
  dy: usize, dyImage: usize, dyRow: usize, dyPixel: usize,
  n: i32, oh: i32, ow: i32, kh: i32, kw: i32, channels: i32, dw: usize,
): void {
  const bytes = <usize>channels << 2;
  memory.fill(dw, 0, <usize>(kh * kw) * bytes);
  for (let image = 0; image < n; image++) {
    for (let i = 0; i < oh; i++) {
      const xr = x + <usize>image * xImage + <usize>i * xRow, g = dy + <usize>image * dyImage + <usize>i * dyRow;
      for (let ky = 0; ky < kh; ky++) {
        const a = xr + <usize>ky * xTapRow;
        const out = dw + <usize>(ky * kw) * bytes;
        for (let c: usize = 0; c < bytes; c += 16) {
          let kx = 0;
          for (; kx + 3 <= kw; kx += 3) taps3(a + <usize>kx * xTapColumn + c, xTapColumn, xStep, g + c, dyPixel, ow, out + <usize>kx * bytes + c, bytes);
          for (; kx < kw; kx++) taps1(a + <usize>kx * xTapColumn + c, xStep, g + c, dyPixel, ow, out + <usize>kx * bytes + c);
        }
      }
    }
  }
}

/** Three taps beside each other read dy once. */
// @ts-ignore: decorator
@inline
function taps3(p: usize, tap: usize, step: usize, q: usize, pixel: usize, ow: i32, out: usize, bytes: usize): void {
  let s0 = zero(), s1 = zero(), s2 = zero();
  let p1 = p + tap, p2 = p1 + tap;
  const end = q + <usize>ow * pixel;
  for (; q < end; q += pixel, p += step, p1 += step, p2 += step) {
    const g = v128.load(q);
    s0 = madd(v128.load(p), g, s0);
    s1 = madd(v128.load(p1), g, s1);
    s2 = madd(v128.load(p2), g, s2);
  }
  v128.store(out, f32x4.add(v128.load(out), s0));
  out += bytes;
  v128.store(out, f32x4.add(v128.load(out), s1));
  out += bytes;
  v128.store(out, f32x4.add(v128.load(out), s2));
}

// @ts-ignore: decorator
@inline
function taps1(p: usize, step: usize, q: usize, pixel: usize, ow: i32, out: usize): void {
  let s = zero();
  const end = q + <usize>ow * pixel;
  for (; q < end; q += pixel, p += step) s = madd(v128.load(p), v128.load(q), s);
  v128.store(out, f32x4.add(v128.load(out), s));
}
