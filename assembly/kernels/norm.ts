/**
 * Normalisation by a sample's own mean and variance, f32.
 *
 *   normalise(x, y, g, b, m0, m1, n0, n1, c, xm0, xm1, x0, x1, ym0, ym1, y0, y1, gm1, g0, g1, bm1, b0, b1, epsilon)
 *     m0 x m1 groups of n0 x n1 runs of c contiguous floats each: layer and group normalisation
 *   normalise_channels(x, y, g, b, n, h, w, c, xImage, xRow, xPixel, yImage, yRow, yPixel, epsilon)
 *     every channel of every image by itself, four channels at a time: instance normalisation
 *
 * y = (x - mean) / sqrt(variance + epsilon) * gamma + beta; g, b: gamma and beta, 0 for none. Other arguments are byte
 * strides. y may be x. Three passes: mean, variance of the differences, result. Sums: four lanes in four chains for each run,
 * then chains, lanes, the rest of the run, and run after run. Error: see `normRoundings` in src/model/ops/shared/norm.ts.
 */
import { madd } from "./simd";

// @ts-ignore: decorator
@inline
function lanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

function run_sum(p: usize, c: i32): f32 {
  const end = p + (<usize>c << 2), body = p + (<usize>(c & ~3) << 2);
  let acc = f32x4.splat(0);
  if (c >= 32) {
    // One chain would take as long as its additions last one after another.
    let a1 = acc, a2 = acc, a3 = acc;
    for (const wide = p + (<usize>(c & ~15) << 2); p < wide; p += 64) {
      acc = f32x4.add(acc, v128.load(p));
      a1 = f32x4.add(a1, v128.load(p, 16));
      a2 = f32x4.add(a2, v128.load(p, 32));
      a3 = f32x4.add(a3, v128.load(p, 48));
    }
    acc = f32x4.add(f32x4.add(acc, a1), f32x4.add(a2, a3));
  }
  for (; p < body; p += 16) acc = f32x4.add(acc, v128.load(p));
  let sum = lanes(acc);
  for (; p < end; p += 4) sum += load<f32>(p);
  return sum;
}

function run_squares(p: usize, c: i32, mean: f32): f32 {
  const end = p + (<usize>c << 2), body = p + (<usize>(c & ~3) << 2);
  const centre = f32x4.splat(mean);
  let acc = f32x4.splat(0);
  if (c >= 32) {
    let a1 = acc, a2 = acc, a3 = acc;
    for (const wide = p + (<usize>(c & ~15) << 2); p < wide; p += 64) {
      const d0 = f32x4.sub(v128.load(p), centre), d1 = f32x4.sub(v128.load(p, 16), centre);
      const d2 = f32x4.sub(v128.load(p, 32), centre), d3 = f32x4.sub(v128.load(p, 48), centre);
      acc = madd(d0, d0, acc);
      a1 = madd(d1, d1, a1);
      a2 = madd(d2, d2, a2);
      a3 = madd(d3, d3, a3);
    }
    acc = f32x4.add(f32x4.add(acc, a1), f32x4.add(a2, a3));
  }
  for (; p < body; p += 16) {
    const d = f32x4.sub(v128.load(p), centre);
    acc = madd(d, d, acc);
  }
  let sum = lanes(acc);
  for (; p < end; p += 4) {
    const d = load<f32>(p) - mean;
    sum += d * d;
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function scaled(x: v128, centre: v128, inverse: v128, gamma: v128, beta: v128): v128 {
  return madd(f32x4.mul(f32x4.sub(x, centre), inverse), gamma, beta);
}

function run_result(p: usize, q: usize, g: usize, b: usize, c: i32, mean: f32, inverse: f32): void {
  const centre = f32x4.splat(mean), factor = f32x4.splat(inverse);
  const end = p + (<usize>c << 2), body = p + (<usize>(c & ~3) << 2);
  let gamma = f32x4.splat(1), beta = f32x4.splat(0);
  for (; p < body; p += 16, q += 16) {
    if (g) { gamma = v128.load(g); g += 16; }
    if (b) { beta = v128.load(b); b += 16; }
    v128.store(q, scaled(v128.load(p), centre, factor, gamma, beta));
  }
  for (; p < end; p += 4, q += 4) {
    if (g) { gamma = v128.load32_splat(g); g += 4; }
    if (b) { beta = v128.load32_splat(b); b += 4; }
    v128.store_lane<f32>(q, scaled(v128.load32_splat(p), centre, factor, gamma, beta), 0);
  }
}

export function normalise(
  x: usize, y: usize, g: usize, b: usize, m0: i32, m1: i32, n0: i32, n1: i32, c: i32,
  xm0: usize, xm1: usize, x0: usize, x1: usize, ym0: usize, ym1: usize, y0: usize, y1: usize,
  gm1: usize, g0: usize, g1: usize, bm1: usize, b0: usize, b1: usize, epsilon: f32,
): void {
  const count = <f32>(n0 * n1 * c);
  for (let i0 = 0; i0 < m0; i0++, x += xm0, y += ym0) {
    for (let i1 = 0, p = x, q = y, r = g, s = b; i1 < m1; i1++, p += xm1, q += ym1, r += gm1, s += bm1) {
      let sum: f32 = 0;
      for (let j0 = 0, u = p; j0 < n0; j0++, u += x0) {
        for (let j1 = 0, v = u; j1 < n1; j1++, v += x1) sum += run_sum(v, c);
      }
      const mean = sum / count;
      sum = 0;
      for (let j0 = 0, u = p; j0 < n0; j0++, u += x0) {
        for (let j1 = 0, v = u; j1 < n1; j1++, v += x1) sum += run_squares(v, c, mean);
      }
      const inverse: f32 = 1 / sqrt<f32>(sum / count + epsilon);
      for (let j0 = 0; j0 < n0; j0++) {
        for (let j1 = 0; j1 < n1; j1++) {
          const a = <usize>j0, e = <usize>j1;
          run_result(
            p + a * x0 + e * x1, q + a * y0 + e * y1, r ? r + a * g0 + e * g1 : 0, s ? s + a * b0 + e * b1 : 0,
            c, mean, inverse,
          );
        }
      }
    }
  }
}

/** One group of four channels (or, with `one`, one channel in all lanes) of an image. */
// @ts-ignore: decorator
@inline
function channels(
  x: usize, y: usize, gamma: v128, beta: v128, h: i32, w: i32, xRow: usize, xPixel: usize, yRow: usize, yPixel: usize,
  epsilon: f32, one: bool,
): void {
  const count = f32x4.splat(<f32>(h * w)), zero = f32x4.splat(0);
  let sum = zero;
  for (let i = 0, row = x; i < h; i++, row += xRow) {
    let part = zero;
    for (let j = 0, p = row; j < w; j++, p += xPixel) part = f32x4.add(part, one ? v128.load32_splat(p) : v128.load(p));
    sum = f32x4.add(sum, part);
  }
  const mean = f32x4.div(sum, count);
  sum = zero;
  for (let i = 0, row = x; i < h; i++, row += xRow) {
    let part = zero;
    for (let j = 0, p = row; j < w; j++, p += xPixel) {
      const d = f32x4.sub(one ? v128.load32_splat(p) : v128.load(p), mean);
      part = madd(d, d, part);
    }
    sum = f32x4.add(sum, part);
  }
  const root = f32x4.sqrt(f32x4.add(f32x4.div(sum, count), f32x4.splat(epsilon)));
  const inverse = f32x4.div(f32x4.splat(1), root);
  for (let i = 0, row = x, to = y; i < h; i++, row += xRow, to += yRow) {
    for (let j = 0, p = row, q = to; j < w; j++, p += xPixel, q += yPixel) {
      if (one) v128.store_lane<f32>(q, scaled(v128.load32_splat(p), mean, inverse, gamma, beta), 0);
      else v128.store(q, scaled(v128.load(p), mean, inverse, gamma, beta));
    }
  }
}

export function normalise_channels(
  x: usize, y: usize, g: usize, b: usize, n: i32, h: i32, w: i32, c: i32,
  xImage: usize, xRow: usize, xPixel: usize, yImage: usize, yRow: usize, yPixel: usize, epsilon: f32,
): void {
  const body = <usize>(c & ~3) << 2, end = <usize>c << 2;
  const one = f32x4.splat(1), zero = f32x4.splat(0);
  for (let i = 0; i < n; i++, x += xImage, y += yImage) {
    let k: usize = 0;
    for (; k < body; k += 16) {
      const gamma = g ? v128.load(g + k) : one, beta = b ? v128.load(b + k) : zero;
      channels(x + k, y + k, gamma, beta, h, w, xRow, xPixel, yRow, yPixel, epsilon, false);
    }
    for (; k < end; k += 4) {
      const gamma = g ? v128.load32_splat(g + k) : one, beta = b ? v128.load32_splat(b + k) : zero;
      channels(x + k, y + k, gamma, beta, h, w, xRow, xPixel, yRow, yPixel, epsilon, true);
    }
  }
}
