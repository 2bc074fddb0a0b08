/**
 * Product of two matrices that are both computed at run time (constant weights go through conv.ts instead).
 *
 *   matmul(a, b, y, m, k, n, aRow, aCol, bRow, bCol, yRow)
 *
 * y[i, j] = sum over l of a[i, l] * b[l, j]; byte strides, so transposition is a matter of arguments; y's columns are
 * contiguous. With bCol = 4 it runs on four columns at a time. Order: l ascending. Error: 2k roundings of sum |a * b|.
 */
import { madd } from "./simd";

export function matmul(
  a: usize, b: usize, y: usize, m: i32, k: i32, n: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize, yRow: usize,
): void {
  const wide = bCol == 4 ? n & ~3 : 0;
  for (let i = 0; i < m; i++, a += aRow, y += yRow) {
    let j = 0;
    for (; j < wide; j += 4) {
      let acc = f32x4.splat(0);
      for (let l = 0, p = a, q = b + (<usize>j << 2); l < k; l++, p += aCol, q += bRow) {
        acc = madd(v128.load_splat<f32>(p), v128.load(q), acc);
      }
      v128.store(y + (<usize>j << 2), acc);
    }
    for (; j < n; j++) {
      let acc = f32x4.splat(0);
      for (let l = 0, p = a, q = b + <usize>j * bCol; l < k; l++, p += aCol, q += bRow) {
        acc = madd(v128.load_splat<f32>(p), v128.load_splat<f32>(q), acc);
      }
      v128.store_lane<f32>(y + (<usize>j << 2), acc, 0);
    }
  }
}
