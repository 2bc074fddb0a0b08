import { madd } from "../kernels/simd";

/**
 * Gradient of a convolution by its weights, without im2col:
 * dw[ky, m, o] = sum over images, rows i and columns j of x[i*sh + ky*dh, j*sw*ci + m] * dy[i, j, o],
 * where m runs over the `span` floats that one tap row reads of x, which are contiguous in memory.
 * A dense layer is the case of one row of `ow` samples and one tap.
 * Shapes: x haloed [n, *, *, ci], dy [n, oh, ow, co] with strides; dw [kh, segments, span, co], all channels padded to four.
 * Error:  n*oh*ow products, added one after another within a tile of 4x8 accumulators.
 */
export function conv_grad_weight(
  x: usize, xImage: usize, xRow: usize, xStep: usize, xTapRow: usize, xTapColumn: usize,
  dy: usize, dyImage: usize, dyRow: usize, dyPixel: usize,
  n: i32, oh: i32, ow: i32, kh: i32, segments: i32, span: i32, co: i32, dw: usize,
): void {
  memory.fill(dw, 0, <usize>(kh * segments * span * co) << 2);
  const pitch = <usize>co << 2;
  // Rows per pass, so that what a pass reads of x and dy stays in the first-level cache (measured: 128 pixels).
  const block = max(1, 128 / ow);
  for (let image = 0; image < n; image++) {
    for (let top = 0; top < oh; top += block) {
      const rows = min(block, oh - top);
      const xTop = x + <usize>image * xImage + <usize>top * xRow;
      const dyTop = dy + <usize>image * dyImage + <usize>top * dyRow;
      let out = dw;
      for (let ky = 0; ky < kh; ky++) {
        for (let s = 0; s < segments; s++) {
          const a = xTop + <usize>ky * xTapRow + <usize>s * xTapColumn;
          for (let m = 0; m < span; m += 4) {
            const am = a + (<usize>m << 2);
            let o = 0;
            for (; o + 8 <= co; o += 8) {
              const q = <usize>o << 2;
              tile4x8(am, xRow, xStep, dyTop + q, dyRow, dyPixel, rows, ow, out + q, pitch);
            }
            if (o < co) {
              const q = <usize>o << 2;
              tile4x4(am, xRow, xStep, dyTop + q, dyRow, dyPixel, rows, ow, out + q, pitch);
            }
            out += pitch << 2;
          }
        }
      }
    }
  }
}

function tile4x8(
  a: usize, aRow: usize, aStep: usize, b: usize, bRow: usize, bStep: usize, rows: i32, ow: i32, c: usize, pitch: usize,
): void {
  const d1 = c + pitch, d2 = d1 + pitch, d3 = d2 + pitch;
  let c00 = v128.load(c), c01 = v128.load(c, 16), c10 = v128.load(d1), c11 = v128.load(d1, 16);
  let c20 = v128.load(d2), c21 = v128.load(d2, 16), c30 = v128.load(d3), c31 = v128.load(d3, 16);
  for (; rows > 0; rows--) {
    let p = a, q = b;
    const end = q + <usize>ow * bStep;
    for (; q < end; q += bStep, p += aStep) {
      const b0 = v128.load(q), b1 = v128.load(q, 16);
      let s = v128.load32_splat(p);
      c00 = madd(s, b0, c00); c01 = madd(s, b1, c01);
      s = v128.load32_splat(p, 4);
      c10 = madd(s, b0, c10); c11 = madd(s, b1, c11);
      s = v128.load32_splat(p, 8);
      c20 = madd(s, b0, c20); c21 = madd(s, b1, c21);
      s = v128.load32_splat(p, 12);
      c30 = madd(s, b0, c30); c31 = madd(s, b1, c31);
    }
    a += aRow; b += bRow;
  }
  v128.store(c, c00); v128.store(c, c01, 16); v128.store(d1, c10); v128.store(d1, c11, 16);
  v128.store(d2, c20); v128.store(d2, c21, 16); v128.store(d3, c30); v128.store(d3, c31, 16);
}

function tile4x4(
  a: usize, aRow: usize, aStep: usize, b: usize, bRow: usize, bStep: usize, rows: i32, ow: i32, c: usize, pitch: usize,
): void {
  const d1 = c + pitch, d2 = d1 + pitch, d3 = d2 + pitch;
  let c0 = v128.load(c), c1 = v128.load(d1), c2 = v128.load(d2), c3 = v128.load(d3);
  for (; rows > 0; rows--) {
    let p = a, q = b;
    const end = q + <usize>ow * bStep;
    for (; q < end; q += bStep, p += aStep) {
      const b0 = v128.load(q);
      c0 = madd(v128.load32_splat(p), b0, c0);
      c1 = madd(v128.load32_splat(p, 4), b0, c1);
      c2 = madd(v128.load32_splat(p, 8), b0, c2);
      c3 = madd(v128.load32_splat(p, 12), b0, c3);
    }
    a += aRow; b += bRow;
  }
  v128.store(c, c0); v128.store(d1, c1); v128.store(d2, c2); v128.store(d3, c3);
}
