import { madd } from "../kernels/simd";
import { addWide, zero } from "./vector";

/**
 * Batch statistics of each channel over the pixels of x: mean and 1/sqrt(variance + epsilon), biased variance;
 * and the affine form of the normalisation, scale = gamma * inv and shift = beta - mean * scale.
 * One pass over values shifted by the first pixel, so that the squares do not cancel against the squared mean;
 * blocks of 128 pixels are added in f32, blocks in f64.
 * Shapes: x rows of `width` pixels; vectors [channels], padded to four, of which `real` count; work 2 * channels f64.
 */
export function batch_norm_stats(
  x: usize, image: usize, row: usize, n: i32, h: i32, width: i32, channels: i32, real: i32,
  gamma: usize, beta: usize, epsilon: f64, mean: usize, inv: usize, scale: usize, shift: usize, work: usize,
): void {
  const pixel = <usize>channels << 2;
  const squares = work + (<usize>channels << 3);
  memory.fill(work, 0, <usize>channels << 4);
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      const line = x + <usize>b * image + <usize>i * row;
      for (let first = 0; first < width; first += 128) {
        const count = <usize>min(128, width - first);
        for (let c: usize = 0; c < pixel; c += 16) {
          let p = line + <usize>first * pixel + c;
          const end = p + count * pixel, reference = v128.load(x + c);
          let s = zero(), q = zero();
          for (; p < end; p += pixel) {
            const v = f32x4.sub(v128.load(p), reference);
            s = f32x4.add(s, v);
            q = madd(v, v, q);
          }
          addWide(work + (c << 1), s);
          addWide(squares + (c << 1), q);
        }
      }
    }
  }
  const count = <f64>n * <f64>h * <f64>width;
  zeroPadding(channels, real, mean, inv, scale, shift);
  for (let c = 0; c < real; c++) {
    const at = <usize>c << 2, wide = <usize>c << 3;
    const m = load<f64>(work + wide) / count;
    const variance = max(0, load<f64>(squares + wide) / count - m * m);
    const average = <f32>(m + <f64>load<f32>(x + at)), rate = <f32>(1 / sqrt(variance + epsilon));
    const factor = load<f32>(gamma + at) * rate;
    store<f32>(mean + at, average);
    store<f32>(inv + at, rate);
    store<f32>(scale + at, factor);
    store<f32>(shift + at, load<f32>(beta + at) - average * factor);
  }
}

/** The padding of the channels normalises to zero, whatever epsilon is. */
function zeroPadding(channels: i32, real: i32, a: usize, b: usize, c: usize, d: usize): void {
  for (let i = real; i < channels; i++) {
    const at = <usize>i << 2;
    store<f32>(a + at, 0);
    store<f32>(b + at, 0);
    store<f32>(c + at, 0);
    store<f32>(d + at, 0);
  }
}

/** scale = gamma / sqrt(variance + epsilon), shift = beta - mean * scale: the affine form of a stored normalisation. */
export function batch_norm_affine(
  gamma: usize, beta: usize, mean: usize, variance: usize, epsilon: f64, channels: i32, real: i32,
  scale: usize, shift: usize,
): void {
  zeroPadding(channels, real, scale, scale, shift, shift);
  for (let c = 0; c < real; c++) {
    const at = <usize>c << 2;
    const s = <f64>load<f32>(gamma + at) / sqrt(<f64>load<f32>(variance + at) + epsilon);
    store<f32>(scale + at, <f32>s);
    store<f32>(shift + at, <f32>(<f64>load<f32>(beta + at) - <f64>load<f32>(mean + at) * s));
  }
}

/**
 * y = act(x * scale + shift (+ r)) per channel, in one pass; r = 0 means none; act: 0 none, 1 relu, 2 relu6.
 * x, r and y may have different halos. A NaN stays a NaN, so that training notices it.
 */
export function affine_act(
  x: usize, xImage: usize, xRow: usize, r: usize, rImage: usize, rRow: usize, y: usize, yImage: usize, yRow: usize,
  n: i32, h: i32, width: i32, channels: i32, scale: usize, shift: usize, act: i32,
): void {
  const pixel = <usize>channels << 2;
  const low = act ? zero() : f32x4.splat(-Infinity), high = f32x4.splat(act == 2 ? 6 : Infinity);
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      const xp = x + <usize>b * xImage + <usize>i * xRow, yp = y + <usize>b * yImage + <usize>i * yRow;
      const rp = r + <usize>b * rImage + <usize>i * rRow;
      const end = <usize>width * pixel;
      for (let c: usize = 0; c < pixel; c += 16) {
        const s = v128.load(scale + c), t = v128.load(shift + c);
        if (r) {
          for (let q = c; q < end; q += pixel) {
            const v = f32x4.add(madd(v128.load(xp + q), s, t), v128.load(rp + q));
            v128.store(yp + q, f32x4.pmin(f32x4.pmax(v, low), high));
          }
        } else {
          for (let q = c; q < end; q += pixel) {
            const v = madd(v128.load(xp + q), s, t);
            v128.store(yp + q, f32x4.pmin(f32x4.pmax(v, low), high));
          }
        }
      }
    }
  }
}

/**
 * First pass of the gradient: g = dy masked by the activation's output (act as above; `out` is ignored when 0),
 * stored when `g` is not 0, together with dbeta = sum g and dgamma = sum g * (x - mean) * inv.
 * The second pass needs g once more; it is dy itself when there was no activation.
 */
export function batch_norm_grad_sums(
  dy: usize, dyImage: usize, dyRow: usize, out: usize, outImage: usize, outRow: usize,
  x: usize, xImage: usize, xRow: usize, g: usize, gImage: usize, gRow: usize,
  n: i32, h: i32, width: i32, channels: i32, real: i32, act: i32,
  mean: usize, inv: usize, dgamma: usize, dbeta: usize, work: usize,
): void {
  const pixel = <usize>channels << 2;
  const products = work + (<usize>channels << 3);
  memory.fill(work, 0, <usize>channels << 4);
  const high = f32x4.splat(act == 2 ? 6 : Infinity), end = <usize>width * pixel;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      const dp = dy + <usize>b * dyImage + <usize>i * dyRow, op = out + <usize>b * outImage + <usize>i * outRow;
      const xp = x + <usize>b * xImage + <usize>i * xRow, gp = g + <usize>b * gImage + <usize>i * gRow;
      for (let c: usize = 0; c < pixel; c += 16) {
        const m = v128.load(mean + c);
        let s = zero(), q = zero();
        if (act) {
          for (let at = c; at < end; at += pixel) {
            const o = v128.load(op + at);
            const v = v128.and(v128.load(dp + at), v128.and(f32x4.gt(o, zero()), f32x4.lt(o, high)));
            v128.store(gp + at, v);
            s = f32x4.add(s, v);
            q = madd(v, f32x4.sub(v128.load(xp + at), m), q);
          }
        } else {
          for (let at = c; at < end; at += pixel) {
            const v = v128.load(dp + at);
            s = f32x4.add(s, v);
            q = madd(v, f32x4.sub(v128.load(xp + at), m), q);
          }
        }
        addWide(work + (c << 1), s);
        addWide(products + (c << 1), q);
      }
    }
  }
  zeroPadding(channels, real, dgamma, dgamma, dbeta, dbeta);
  for (let c = 0; c < real; c++) {
    const at = <usize>c << 2, wide = <usize>c << 3;
    store<f32>(dbeta + at, <f32>load<f64>(work + wide));
    store<f32>(dgamma + at, <f32>(load<f64>(products + wide) * <f64>load<f32>(inv + at)));
  }
}

/** Second pass: dx = gamma * inv * (g - dbeta/count - (x - mean) * inv * dgamma/count), as k1*g + k2*x + k3 per channel. */
export function batch_norm_grad_apply(
  g: usize, gImage: usize, gRow: usize, x: usize, xImage: usize, xRow: usize, dx: usize, dxImage: usize, dxRow: usize,
  n: i32, h: i32, width: i32, channels: i32, gamma: usize, mean: usize, inv: usize, dgamma: usize, dbeta: usize, work: usize,
): void {
  const pixel = <usize>channels << 2, k1 = work, k2 = k1 + pixel, k3 = k2 + pixel;
  const count = <f64>n * <f64>h * <f64>width;
  for (let c = 0; c < channels; c++) {
    const at = <usize>c << 2;
    const rate = <f64>load<f32>(inv + at), a = <f64>load<f32>(gamma + at) * rate;
    const b = (-a * rate * <f64>load<f32>(dgamma + at)) / count;
    store<f32>(k1 + at, <f32>a);
    store<f32>(k2 + at, <f32>b);
    store<f32>(k3 + at, <f32>((-a * <f64>load<f32>(dbeta + at)) / count - b * <f64>load<f32>(mean + at)));
  }
  const end = <usize>width * pixel;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      const gp = g + <usize>b * gImage + <usize>i * gRow, xp = x + <usize>b * xImage + <usize>i * xRow;
      const dp = dx + <usize>b * dxImage + <usize>i * dxRow;
      for (let c: usize = 0; c < pixel; c += 16) {
        const a = v128.load(k1 + c), e = v128.load(k2 + c), f = v128.load(k3 + c);
        for (let at = c; at < end; at += pixel) {
          v128.store(dp + at, madd(v128.load(gp + at), a, madd(v128.load(xp + at), e, f)));
        }
      }
    }
  }
}
