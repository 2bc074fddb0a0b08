import { activate, madd } from "../kernels/simd";

/**
 * The convolution of `kernels/conv.ts` over a batch, in tiles of 2 pixels x 16 channels that read one stream of weights:
 * the same sums in the same order (bias and residual first, then ky, kx, c), so the same bits, 1.2 times as fast on Node 20
 * (35.5 against 29.5 GFLOP/s on ResNet-20's layers, Zen 3). The device packs panels of four because they serve all its
 * tiles; the host packs for itself (pack.ts), and training spends two thirds of its time here: forward and input gradient.
 * The input gradient of a convolution is a convolution of dy with the taps reversed and the channels swapped.
 *
 * x: the first pixel of the first window; a window is `kh` x `segments` runs of `span` contiguous floats.
 * w: see pack_panels; y has `co` channels (a multiple of four) at each pixel; r: residual, 0 for none; act: see simd.ts.
 * xRow, xStep: from one output row or column to the next; xTapRow, xTapColumn: from one run to the next.
 */
export function conv_wide(
  x: usize, xImage: usize, xRow: usize, xStep: usize, xTapRow: usize, xTapColumn: usize,
  w: usize, r: usize, rImage: usize, rRow: usize, rStep: usize, y: usize, yImage: usize, yRow: usize, yStep: usize,
  n: i32, oh: i32, ow: i32, kh: i32, segments: i32, span: i32, co: i32, act: i32,
): void {
  const depth = <usize>(kh * segments * span + 1), bytes = <usize>span << 2;
  for (let image = 0; image < n; image++) {
    for (let i = 0; i < oh; i++) {
      const a = x + <usize>image * xImage + <usize>i * xRow;
      let c = y + <usize>image * yImage + <usize>i * yRow, d = r ? r + <usize>image * rImage + <usize>i * rRow : 0;
      let panel = w, left = co;
      while (left >= 16) {
        row16(a, xStep, xTapRow, xTapColumn, panel, d, rStep, c, yStep, ow, kh, segments, bytes, act);
        panel += depth << 6; c += 64; left -= 16;
        if (d) d += 64;
      }
      if (left >= 8) {
        row8(a, xStep, xTapRow, xTapColumn, panel, d, rStep, c, yStep, ow, kh, segments, bytes, act);
        panel += depth << 5; c += 32; left -= 8;
        if (d) d += 32;
      }
      if (left) row4(a, xStep, xTapRow, xTapColumn, panel, d, rStep, c, yStep, ow, kh, segments, bytes, act);
    }
  }
}

function row16(
  a: usize, step: usize, tapRow: usize, tapColumn: usize, w: usize, r: usize, rStep: usize, y: usize, yStep: usize,
  ow: i32, kh: i32, segments: i32, bytes: usize, act: i32,
): void {
  let j = 0;
  for (; j + 2 <= ow; j += 2) {
    let c00 = v128.load(w), c01 = v128.load(w, 16), c02 = v128.load(w, 32), c03 = v128.load(w, 48);
    let c10 = c00, c11 = c01, c12 = c02, c13 = c03;
    if (r) {
      c00 = f32x4.add(c00, v128.load(r)); c01 = f32x4.add(c01, v128.load(r, 16));
      c02 = f32x4.add(c02, v128.load(r, 32)); c03 = f32x4.add(c03, v128.load(r, 48));
      r += rStep;
      c10 = f32x4.add(c10, v128.load(r)); c11 = f32x4.add(c11, v128.load(r, 16));
      c12 = f32x4.add(c12, v128.load(r, 32)); c13 = f32x4.add(c13, v128.load(r, 48));
      r += rStep;
    }
    let b = w + 64, line = a;
    for (let ky = 0; ky < kh; ky++, line += tapRow) {
      let run = line;
      for (let s = 0; s < segments; s++, run += tapColumn) {
        let p = run, q = run + step;
        const end = p + bytes;
        for (; p < end; p += 4, q += 4, b += 64) {
          const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
          let v = v128.load32_splat(p);
          c00 = madd(v, b0, c00); c01 = madd(v, b1, c01); c02 = madd(v, b2, c02); c03 = madd(v, b3, c03);
          v = v128.load32_splat(q);
          c10 = madd(v, b0, c10); c11 = madd(v, b1, c11); c12 = madd(v, b2, c12); c13 = madd(v, b3, c13);
        }
      }
    }
    if (act) {
      c00 = activate(c00, act); c01 = activate(c01, act); c02 = activate(c02, act); c03 = activate(c03, act);
      c10 = activate(c10, act); c11 = activate(c11, act); c12 = activate(c12, act); c13 = activate(c13, act);
    }
    v128.store(y, c00); v128.store(y, c01, 16); v128.store(y, c02, 32); v128.store(y, c03, 48);
    y += yStep;
    v128.store(y, c10); v128.store(y, c11, 16); v128.store(y, c12, 32); v128.store(y, c13, 48);
    y += yStep;
    a += step << 1;
  }
  if (j < ow) {
    let c0 = v128.load(w), c1 = v128.load(w, 16), c2 = v128.load(w, 32), c3 = v128.load(w, 48);
    if (r) {
      c0 = f32x4.add(c0, v128.load(r)); c1 = f32x4.add(c1, v128.load(r, 16));
      c2 = f32x4.add(c2, v128.load(r, 32)); c3 = f32x4.add(c3, v128.load(r, 48));
    }
    let b = w + 64, line = a;
    for (let ky = 0; ky < kh; ky++, line += tapRow) {
      let run = line;
      for (let s = 0; s < segments; s++, run += tapColumn) {
        const end = run + bytes;
        for (let p = run; p < end; p += 4, b += 64) {
          const v = v128.load32_splat(p);
          c0 = madd(v, v128.load(b), c0); c1 = madd(v, v128.load(b, 16), c1);
          c2 = madd(v, v128.load(b, 32), c2); c3 = madd(v, v128.load(b, 48), c3);
        }
      }
    }
    v128.store(y, activate(c0, act)); v128.store(y, activate(c1, act), 16);
    v128.store(y, activate(c2, act), 32); v128.store(y, activate(c3, act), 48);
  }
}

function row8(
  a: usize, step: usize, tapRow: usize, tapColumn: usize, w: usize, r: usize, rStep: usize, y: usize, yStep: usize,
  ow: i32, kh: i32, segments: i32, bytes: usize, act: i32,
): void {
  let j = 0;
  for (; j + 4 <= ow; j += 4) {
    let c00 = v128.load(w), c01 = v128.load(w, 16);
    let c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
    if (r) {
      c00 = f32x4.add(c00, v128.load(r)); c01 = f32x4.add(c01, v128.load(r, 16)); r += rStep;
      c10 = f32x4.add(c10, v128.load(r)); c11 = f32x4.add(c11, v128.load(r, 16)); r += rStep;
      c20 = f32x4.add(c20, v128.load(r)); c21 = f32x4.add(c21, v128.load(r, 16)); r += rStep;
      c30 = f32x4.add(c30, v128.load(r)); c31 = f32x4.add(c31, v128.load(r, 16)); r += rStep;
    }
    let b = w + 32, line = a;
    for (let ky = 0; ky < kh; ky++, line += tapRow) {
      let run = line;
      for (let s = 0; s < segments; s++, run += tapColumn) {
        let p0 = run, p1 = p0 + step, p2 = p1 + step, p3 = p2 + step;
        const end = p0 + bytes;
        for (; p0 < end; p0 += 4, p1 += 4, p2 += 4, p3 += 4, b += 32) {
          const b0 = v128.load(b), b1 = v128.load(b, 16);
          let v = v128.load32_splat(p0);
          c00 = madd(v, b0, c00); c01 = madd(v, b1, c01);
          v = v128.load32_splat(p1);
          c10 = madd(v, b0, c10); c11 = madd(v, b1, c11);
          v = v128.load32_splat(p2);
          c20 = madd(v, b0, c20); c21 = madd(v, b1, c21);
          v = v128.load32_splat(p3);
          c30 = madd(v, b0, c30); c31 = madd(v, b1, c31);
        }
      }
    }
    v128.store(y, activate(c00, act)); v128.store(y, activate(c01, act), 16); y += yStep;
    v128.store(y, activate(c10, act)); v128.store(y, activate(c11, act), 16); y += yStep;
    v128.store(y, activate(c20, act)); v128.store(y, activate(c21, act), 16); y += yStep;
    v128.store(y, activate(c30, act)); v128.store(y, activate(c31, act), 16); y += yStep;
    a += step << 2;
  }
  for (; j < ow; j++) {
    let c0 = v128.load(w), c1 = v128.load(w, 16);
    if (r) {
      c0 = f32x4.add(c0, v128.load(r)); c1 = f32x4.add(c1, v128.load(r, 16)); r += rStep;
    }
    let b = w + 32, line = a;
    for (let ky = 0; ky < kh; ky++, line += tapRow) {
      let run = line;
      for (let s = 0; s < segments; s++, run += tapColumn) {
        const end = run + bytes;
        for (let p = run; p < end; p += 4, b += 32) {
          const v = v128.load32_splat(p);
          c0 = madd(v, v128.load(b), c0); c1 = madd(v, v128.load(b, 16), c1);
        }
      }
    }
    v128.store(y, activate(c0, act)); v128.store(y, activate(c1, act), 16); y += yStep;
    a += step;
  }
}

function row4(
  a: usize, step: usize, tapRow: usize, tapColumn: usize, w: usize, r: usize, rStep: usize, y: usize, yStep: usize,
  ow: i32, kh: i32, segments: i32, bytes: usize, act: i32,
): void {
  let j = 0;
  for (; j + 4 <= ow; j += 4) {
    let c0 = v128.load(w), c1 = c0, c2 = c0, c3 = c0;
    if (r) {
      c0 = f32x4.add(c0, v128.load(r)); r += rStep;
      c1 = f32x4.add(c1, v128.load(r)); r += rStep;
      c2 = f32x4.add(c2, v128.load(r)); r += rStep;
      c3 = f32x4.add(c3, v128.load(r)); r += rStep;
    }
    let b = w + 16, line = a;
    for (let ky = 0; ky < kh; ky++, line += tapRow) {
      let run = line;
      for (let s = 0; s < segments; s++, run += tapColumn) {
        let p0 = run, p1 = p0 + step, p2 = p1 + step, p3 = p2 + step;
        const end = p0 + bytes;
        for (; p0 < end; p0 += 4, p1 += 4, p2 += 4, p3 += 4, b += 16) {
          const q = v128.load(b);
          c0 = madd(v128.load32_splat(p0), q, c0);
          c1 = madd(v128.load32_splat(p1), q, c1);
          c2 = madd(v128.load32_splat(p2), q, c2);
          c3 = madd(v128.load32_splat(p3), q, c3);
        }
      }
    }
    v128.store(y, activate(c0, act)); y += yStep;
    v128.store(y, activate(c1, act)); y += yStep;
    v128.store(y, activate(c2, act)); y += yStep;
    v128.store(y, activate(c3, act)); y += yStep;
    a += step << 2;
  }
  for (; j < ow; j++) {
    let c0 = v128.load(w);
    if (r) {
      c0 = f32x4.add(c0, v128.load(r)); r += rStep;
    }
    let b = w + 16, line = a;
    for (let ky = 0; ky < kh; ky++, line += tapRow) {
      let run = line;
      for (let s = 0; s < segments; s++, run += tapColumn) {
        const end = run + bytes;
        for (let p = run; p < end; p += 4, b += 16) c0 = madd(v128.load32_splat(p), v128.load(b), c0);
      }
    }
    v128.store(y, activate(c0, act)); y += yStep;
    a += step;
  }
}
