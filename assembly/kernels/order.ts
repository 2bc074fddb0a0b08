/**
 * Search and order along an axis of `m` elements `xm` bytes apart, for every place of four outer axes.
 * `integers`: elements are i32, else f32; indices are written as i32. Exact; a NaN is never the larger or smaller one.
 */

/** Index of the largest (`least`: smallest) element; of equal ones the first (`last`: the last). */
export function arg_strided(
  integers: i32, least: i32, last: i32, x: usize, y: usize, m: i32, xm: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        for (let i3 = 0, xc = xb, yc = yb; i3 < n3; i3++, xc += x3, yc += y3) {
          store<i32>(yc, integers ? arg_of<i32>(least, last, xc, m, xm) : arg_of<f32>(least, last, xc, m, xm));
        }
      }
    }
  }
}

function arg_of<T>(least: i32, last: i32, x: usize, m: i32, xm: usize): i32 {
  let best = load<T>(x), index = 0;
  for (let i = 1, p = x + xm; i < m; i++, p += xm) {
    const v = load<T>(p);
    if (before<T>(least, v, best) || (last && v == best)) {
      best = v;
      index = i;
    }
  }
  return index;
}

// @ts-ignore: decorator
@inline
function before<T>(least: i32, a: T, b: T): bool {
  return least ? a < b : a > b;
}

/**
 * The k largest (`least`: smallest) elements in order, and their indices; of equal ones the lower index comes first.
 * Insertion into the results, which the outputs hold: most elements end at one comparison with the last of them.
 */
export function top_k_strided(
  integers: i32, least: i32, k: i32, x: usize, values: usize, indices: usize, m: i32, xm: usize, vm: usize, im: usize,
  n0: i32, n1: i32, n2: i32, n3: i32, x0: usize, x1: usize, x2: usize, x3: usize,
  v0: usize, v1: usize, v2: usize, v3: usize, i0: usize, i1: usize, i2: usize, i3: usize,
): void {
  for (let a = 0; a < n0; a++, x += x0, values += v0, indices += i0) {
    for (let b = 0, xa = x, va = values, ia = indices; b < n1; b++, xa += x1, va += v1, ia += i1) {
      for (let c = 0, xb = xa, vb = va, ib = ia; c < n2; c++, xb += x2, vb += v2, ib += i2) {
        for (let d = 0, xc = xb, vc = vb, ic = ib; d < n3; d++, xc += x3, vc += v3, ic += i3) {
          if (integers) top_of<i32>(least, k, xc, vc, ic, m, xm, vm, im);
          else top_of<f32>(least, k, xc, vc, ic, m, xm, vm, im);
        }
      }
    }
  }
}

function top_of<T>(least: i32, k: i32, x: usize, values: usize, indices: usize, m: i32, xm: usize, vm: usize, im: usize): void {
  for (let i = 0, p = x; i < m; i++, p += xm) {
    const v = load<T>(p);
    let place = min(i, k - 1);
    if (i >= k && !before<T>(least, v, load<T>(values + <usize>place * vm))) continue;
    for (; place > 0; place--) {
      const at = values + <usize>place * vm, other = load<T>(at - vm);
      if (!before<T>(least, v, other)) break;
      store<T>(at, other);
      store<i32>(indices + <usize>place * im, load<i32>(indices + <usize>(place - 1) * im));
    }
    store<T>(values + <usize>place * vm, v);
    store<i32>(indices + <usize>place * im, i);
  }
}
