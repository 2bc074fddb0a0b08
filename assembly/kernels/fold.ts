/**
 * Folding along axes, f32 or i32 (`integers`): y = join(y, x), element by element in row-major order; a stride of 0 in y
 * folds that axis, y holds the start value before the call. Error: 0 for minimum and maximum, else one rounding for each term.
 */
export const FOLD_SUM: i32 = 0;
export const FOLD_MAX: i32 = 1;
export const FOLD_MIN: i32 = 2;
export const FOLD_PROD: i32 = 3;

export function fold_words(
  kind: i32, integers: i32, x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        for (let i3 = 0, xc = xb, yc = yb; i3 < n3; i3++, xc += x3, yc += y3) {
          if (integers) store<i32>(yc, join<i32>(kind, load<i32>(yc), load<i32>(xc)));
          else store<f32>(yc, join<f32>(kind, load<f32>(yc), load<f32>(xc)));
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function join<T>(kind: i32, a: T, b: T): T {
  if (kind == FOLD_SUM) return a + b;
  if (kind == FOLD_MAX) return max<T>(a, b);
  if (kind == FOLD_MIN) return min<T>(a, b);
  return a * b;
}

/** Running sums along an axis of `m` elements, for every place of four outer axes. Error: one rounding for each addition. */
export function cumsum_strided(
  integers: i32, exclusive: i32, x: usize, y: usize, m: i32, xm: usize, ym: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        for (let i3 = 0, xc = xb, yc = yb; i3 < n3; i3++, xc += x3, yc += y3) {
          if (integers) sums<i32>(exclusive, xc, yc, m, xm, ym);
          else sums<f32>(exclusive, xc, yc, m, xm, ym);
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function sums<T>(exclusive: i32, x: usize, y: usize, m: i32, xm: usize, ym: usize): void {
  let sum: T = 0;
  for (let i = 0; i < m; i++, x += xm, y += ym) {
    const next: T = sum + load<T>(x);
    store<T>(y, exclusive ? sum : next);
    sum = next;
  }
}
