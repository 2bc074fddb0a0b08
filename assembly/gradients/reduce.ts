import { addWide, zero } from "./vector";

/**
 * Sum of each channel over all pixels: out[c] = sum x[b, i, j, c]. Blocks of 128 pixels in f32, blocks in f64, one
 * rounding at the end. `channels` is padded to four; work: 2 * channels floats.
 */
export function channel_sums(
  x: usize, image: usize, row: usize, n: i32, h: i32, width: i32, channels: i32, out: usize, work: usize,
): void {
  const pixel = <usize>channels << 2;
  memory.fill(work, 0, pixel << 1);
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      const line = x + <usize>b * image + <usize>i * row;
      for (let first = 0; first < width; first += 128) {
        const count = <usize>min(128, width - first);
        for (let c: usize = 0; c < pixel; c += 16) {
          let p = line + <usize>first * pixel + c, s = zero();
          const end = p + count * pixel;
          for (; p < end; p += pixel) s = f32x4.add(s, v128.load(p));
          addWide(work + (c << 1), s);
        }
      }
    }
  }
  for (let c = 0; c < channels; c++) store<f32>(out + (<usize>c << 2), <f32>load<f64>(work + (<usize>c << 3)));
}

/** y = y + x, or max(y, x), element by element with byte strides; a stride of 0 in y folds that axis. */
export function fold_strided(
  most: i32, x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        for (let i3 = 0, xc = xb, yc = yb; i3 < n3; i3++, xc += x3, yc += y3) {
          const a = load<f32>(yc), b = load<f32>(xc);
          store<f32>(yc, most ? max<f32>(a, b) : a + b);
        }
      }
    }
  }
}

/** out[i] = x[i] / divisor for `count` floats. */
export function divide(x: usize, out: usize, count: i32, divisor: f32): void {
  const end = <usize>count << 2;
  for (let q: usize = 0; q < end; q += 4) store<f32>(out + q, load<f32>(x + q) / divisor);
}

/**
 * Gradient of a maximum: dx = dy where x equals the maximum y for the first time in row-major order, else 0.
 * Strides of dy, y and `seen` are 0 on the reduced axes; `seen` is one float for each output, zero before the call.
 */
export function reduce_max_grad(
  dy: usize, x: usize, y: usize, seen: usize, dx: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  d0: usize, d1: usize, d2: usize, d3: usize, x0: usize, x1: usize, x2: usize, x3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize, s0: usize, s1: usize, s2: usize, s3: usize,
  e0: usize, e1: usize, e2: usize, e3: usize,
): void {
  for (let i0: usize = 0; i0 < <usize>n0; i0++) {
    for (let i1: usize = 0; i1 < <usize>n1; i1++) {
      for (let i2: usize = 0; i2 < <usize>n2; i2++) {
        for (let i3: usize = 0; i3 < <usize>n3; i3++) {
          const mark = seen + i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3;
          const same = load<f32>(x + i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3) == load<f32>(y + i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3);
          const hit = same && load<f32>(mark) == 0;
          if (hit) store<f32>(mark, 1);
          store<f32>(dx + i0 * e0 + i1 * e1 + i2 * e2 + i3 * e3, hit ? load<f32>(dy + i0 * d0 + i1 * d1 + i2 * d2 + i3 * d3) : 0);
        }
      }
    }
  }
}
