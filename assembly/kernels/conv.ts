/**
 * Convolution as a sum of matrix products over contiguous segments, f32, NHWC, sizes as arguments; no im2col.
 * Covers pointwise and k x k convolutions with stride and dilation, dense layers, and one group of a grouped convolution.
 *
 *   conv(x, w, y, rs, rows, cols, panels, xRow, xCol, yRow, yCol, rRow, rCol, seg, nx, xStep, ny, yStep, act)
 *
 * Output pixel (i, j) reads, from address x + i*xRow + j*xCol, ny rows (yStep bytes apart) of nx segments (xStep bytes
 * apart) of `seg` contiguous bytes. The image lies in a buffer with a zero border, so that windows never leave it.
 *   k x k, no dilation:  seg = 4*kw*cs, nx = 1,  ny = kh, yStep = pitch              (cs = channel stride in floats)
 *   with dilation:       seg = 4*ci,    nx = kw, xStep = 4*cs*dw, ny = kh, yStep = pitch*dh
 *   pointwise, dense:    seg = 4*ci,    nx = 1,  ny = 1
 *   flat (pointwise without border): rows = 1, cols = h*w; dense over a batch: rows = 1, cols = batch.
 * w: panels of 4 output channels [N/4][bias | K][4], K = nx*ny*seg/4 in the order ky, kx, c; zero padded (packWeights).
 * y: first output pixel; 4*panels floats are written for each pixel. rs: residual to add, laid out by rRow, rCol; 0 = none.
 * xRow..rCol: bytes from one output row or column to the next. act: see simd.ts.
 * Order: bias (+ residual), then ky, kx, c ascending, one accumulator per output: every tile gives the same bits.
 * Error: 2K + 2 roundings of |bias| + |residual| + sum |x * w|.
 *
 * The device build calls tiles with constant offsets instead (same text, src/kernels/tile-source.ts).
 */
import {
  tile1x4, tile1x8, tile1x12, tile2x4, tile2x8, tile2x12, tile3x4, tile3x8, tile3x12, tile4x4, tile4x8,
} from "./tiles";

// Rows of a 12-wide tile: its accumulators and the loads of one step must fit 16 registers; without fused multiply-add
// the product needs one more. 4 x 8 fits both ways and measured best on x64 (Node 20 and 24): 33 GFLOP/s strict against
// 30 for 2 x 12 and 3 x 8, 42 relaxed.
const ROWS_12: i32 = ASC_FEATURE_RELAXED_SIMD ? 3 : 2;
const ROWS_8: i32 = 4;

export function conv(
  x: usize, w: usize, y: usize, rs: usize, rows: i32, cols: i32, panels: i32,
  xRow: usize, xCol: usize, yRow: usize, yCol: usize, rRow: usize, rCol: usize,
  seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32,
): void {
  const panel = (<usize>(nx * ny) * seg + 4) << 2;
  // 8 channels at a time; 12 where that would leave a lone panel of 4, whose tile has too few accumulators.
  const wide = panels % 3 == 0 && (panels & 1) ? 3 : 2;
  const mr = wide == 3 ? ROWS_12 : ROWS_8;
  for (let i = 0; i < rows; i++) {
    let a = x, b = y, r = rs;
    for (let j = 0; j < cols; j += mr) {
      const m = min<i32>(mr, cols - j);
      let wp = w, bp = b, rp = r;
      for (let p = 0; p < panels; p += wide) {
        const v = min<i32>(wide, panels - p);
        if (v == 3) {
          if (m == 3) tile3x12(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else if (m == 2) tile2x12(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else tile1x12(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
        } else if (v == 2) {
          if (m == 4) tile4x8(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else if (m == 3) tile3x8(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else if (m == 2) tile2x8(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else tile1x8(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
        } else {
          if (m == 4) tile4x4(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else if (m == 3) tile3x4(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else if (m == 2) tile2x4(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
          else tile1x4(a, wp, bp, rp, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act);
        }
        wp += panel * <usize>v;
        bp += <usize>v << 4;
        if (rp) rp += <usize>v << 4;
      }
      a += xCol * <usize>m;
      b += yCol * <usize>m;
      if (r) r += rCol * <usize>m;
    }
    x += xRow;
    y += yRow;
    if (rs) rs += rRow;
  }
}
