/**
 * Products of matrices that are computed at run time (dense layers with fixed weights go through conv.ts instead).
 *
 *   matmul(a, b, y, s, m, k, n, aRow, aCol, bRow, bCol, yRow, n0..n3, a0..a3, b0..b3, y0..y3)
 *
 * y[.., i, j] = sum over l of a[.., i, l] * b[.., l, j] for n0 x n1 x n2 x n3 pairs of matrices; byte strides, so
 * transposition and repetition are a matter of arguments; y's columns are contiguous. s: scratch, 32 * k + 128 bytes.
 * Tiles of 4 rows x 8 columns, the last rows 3, 2 or 1; the 8 columns of b are copied to s first where they are not contiguous, or where enough rows
 * share them that reading b in its own order would cost more (its rows lie on as many pages).
 * Order: l ascending from 0, one accumulator for each element, whatever the tile. Error: 2k roundings of sum |a * b|.
 */
import { madd } from "./simd";

/** Rows from which a copy of the columns pays, although they are contiguous. */
const ROWS_TO_COPY: i32 = 8;

export function matmul(
  a: usize, b: usize, y: usize, s: usize, m: i32, k: i32, n: i32,
  aRow: usize, aCol: usize, bRow: usize, bCol: usize, yRow: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, b2: usize, b3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, a += a0, b += b0, y += y0) {
    for (let i1 = 0, p1 = a, q1 = b, r1 = y; i1 < n1; i1++, p1 += a1, q1 += b1, r1 += y1) {
      for (let i2 = 0, p2 = p1, q2 = q1, r2 = r1; i2 < n2; i2++, p2 += a2, q2 += b2, r2 += y2) {
        for (let i3 = 0, p = p2, q = q2, r = r2; i3 < n3; i3++, p += a3, q += b3, r += y3) {
          product(p, q, r, s, m, k, n, aRow, aCol, bRow, bCol, yRow);
        }
      }
    }
  }
}

function product(
  a: usize, b: usize, y: usize, s: usize, m: i32, k: i32, n: i32,
  aRow: usize, aCol: usize, bRow: usize, bCol: usize, yRow: usize,
): void {
  const part = s + (<usize>k << 5);
  for (let j = 0; j < n; j += 8) {
    const width = min<i32>(8, n - j);
    let columns = b + <usize>j * bCol, step = bRow;
    if (width < 8 || bCol != 4 || m >= ROWS_TO_COPY) {
      copy_columns(columns, s, k, width, bRow, bCol);
      columns = s;
      step = 32;
    }
    for (let i = 0; i < m; i += 4) {
      const rows = min<i32>(4, m - i);
      const p = a + <usize>i * aRow, q = y + <usize>i * yRow + (<usize>j << 2);
      const to = width == 8 ? q : part, row = width == 8 ? yRow : 32;
      if (rows == 4) tile4x8(p, aRow, aCol, columns, step, to, row, k);
      else if (rows == 3) tile3x8(p, aRow, aCol, columns, step, to, row, k);
      else if (rows == 2) tile2x8(p, aRow, aCol, columns, step, to, row, k);
      else tile1x8(p, aCol, columns, step, to, k);
      if (width < 8) {
        for (let r = 0; r < rows; r++) memory.copy(q + <usize>r * yRow, part + (<usize>r << 5), <usize>width << 2);
      }
    }
  }
}

/** `width` columns of b as k rows of 8 floats, zeros behind. */
function copy_columns(b: usize, s: usize, k: i32, width: i32, bRow: usize, bCol: usize): void {
  if (width == 8 && bCol == 4) {
    for (let l = 0; l < k; l++, b += bRow, s += 32) {
      v128.store(s, v128.load(b));
      v128.store(s, v128.load(b, 16), 16);
    }
    return;
  }
  const zero = f32x4.splat(0);
  for (let l = 0; l < k; l++, b += bRow, s += 32) {
    v128.store(s, zero);
    v128.store(s, zero, 16);
    for (let c = 0, p = b; c < width; c++, p += bCol) store<f32>(s + (<usize>c << 2), load<f32>(p));
  }
}

export function tile4x8(a: usize, aRow: usize, aCol: usize, b: usize, bRow: usize, y: usize, yRow: usize, k: i32): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  const a2 = aRow * 2, a3 = aRow * 3;
  for (let l = 0; l < k; l++, a += aCol, b += bRow) {
    const w0 = v128.load(b), w1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
    x = v128.load32_splat(a + aRow);
    c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
    x = v128.load32_splat(a + a2);
    c20 = madd(x, w0, c20); c21 = madd(x, w1, c21);
    x = v128.load32_splat(a + a3);
    c30 = madd(x, w0, c30); c31 = madd(x, w1, c31);
  }
  v128.store(y, c00); v128.store(y, c01, 16);
  y += yRow;
  v128.store(y, c10); v128.store(y, c11, 16);
  y += yRow;
  v128.store(y, c20); v128.store(y, c21, 16);
  y += yRow;
  v128.store(y, c30); v128.store(y, c31, 16);
}

function tile3x8(a: usize, aRow: usize, aCol: usize, b: usize, bRow: usize, y: usize, yRow: usize, k: i32): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  const a2 = aRow * 2;
  for (let l = 0; l < k; l++, a += aCol, b += bRow) {
    const w0 = v128.load(b), w1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
    x = v128.load32_splat(a + aRow);
    c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
    x = v128.load32_splat(a + a2);
    c20 = madd(x, w0, c20); c21 = madd(x, w1, c21);
  }
  v128.store(y, c00); v128.store(y, c01, 16);
  y += yRow;
  v128.store(y, c10); v128.store(y, c11, 16);
  y += yRow;
  v128.store(y, c20); v128.store(y, c21, 16);
}

function tile2x8(a: usize, aRow: usize, aCol: usize, b: usize, bRow: usize, y: usize, yRow: usize, k: i32): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00;
  for (let l = 0; l < k; l++, a += aCol, b += bRow) {
    const w0 = v128.load(b), w1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
    x = v128.load32_splat(a + aRow);
    c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
  }
  v128.store(y, c00); v128.store(y, c01, 16);
  y += yRow;
  v128.store(y, c10); v128.store(y, c11, 16);
}

export function tile1x8(a: usize, aCol: usize, b: usize, bRow: usize, y: usize, k: i32): void {
  let c0 = f32x4.splat(0), c1 = c0;
  for (let l = 0; l < k; l++, a += aCol, b += bRow) {
    const x = v128.load32_splat(a);
    c0 = madd(x, v128.load(b), c0);
    c1 = madd(x, v128.load(b, 16), c1);
  }
  v128.store(y, c0);
  v128.store(y, c1, 16);
}
