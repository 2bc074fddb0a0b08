/**
 * Reductions, f32.
 *
 *   reduce_image(kind, x, y, h, w, blocks, xRow, xPixel)                over the h*w pixels, vector over channels
 *   reduce_strided(kind, x, y, n0, n1, n2, m, x0, x1, x2, xm, y0, y1, y2)  over one axis of length m and byte stride xm
 *
 * kinds: REDUCE_SUM, REDUCE_MEAN (sum divided by the count at the end), REDUCE_MAX.
 * Order: ascending, one accumulator for each output. Error: sum and mean: as many roundings as terms; maximum exact.
 */
export const REDUCE_SUM: i32 = 0;
export const REDUCE_MEAN: i32 = 1;
export const REDUCE_MAX: i32 = 2;

export function reduce_image(
  kind: i32, x: usize, y: usize, h: i32, w: i32, blocks: i32, xRow: usize, xPixel: usize,
): void {
  const channels = <usize>blocks << 4;
  for (let c: usize = 0; c < channels; c += 16) {
    let acc = f32x4.splat(kind == REDUCE_MAX ? -Infinity : 0);
    for (let i = 0, row = x + c; i < h; i++, row += xRow) {
      for (let j = 0, p = row; j < w; j++, p += xPixel) {
        const v = v128.load(p);
        acc = kind == REDUCE_MAX ? f32x4.max(acc, v) : f32x4.add(acc, v);
      }
    }
    if (kind == REDUCE_MEAN) acc = f32x4.div(acc, f32x4.splat(<f32>(h * w)));
    v128.store(y + c, acc);
  }
}

export function reduce_strided(
  kind: i32, x: usize, y: usize, n0: i32, n1: i32, n2: i32, m: i32,
  x0: usize, x1: usize, x2: usize, xm: usize, y0: usize, y1: usize, y2: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        let acc: f32 = kind == REDUCE_MAX ? -Infinity : 0;
        for (let j = 0, p = xb; j < m; j++, p += xm) {
          acc = kind == REDUCE_MAX ? max<f32>(acc, load<f32>(p)) : acc + load<f32>(p);
        }
        store<f32>(yb, kind == REDUCE_MEAN ? acc / <f32>m : acc);
      }
    }
  }
}
