/**
 * Element by element, f32. Rows are contiguous; any length; results may replace an operand (y = a).
 *
 *   unary_rows(kind, x, y, rows, n, xRow, yRow)
 *   binary_rows(kind, a, b, y, rows, n, aRow, bRow, yRow)          bRow = 0: one row of b for all rows of a (per channel)
 *   binary_scalar_rows(kind, a, b, y, rows, n, aRow, yRow)         b: address of one float
 *   binary_strided(kind, a, b, y, n0..n3, a0..a3, b0..b3, y0..y3)  general broadcasting, stride 0 repeats
 *
 * n counts floats of a row, pitches are bytes. With `pixels` rows of `cs` floats and bRow = 0, b holds cs floats.
 * kinds: UNARY_RELU, UNARY_RELU6, UNARY_SIGMOID; BINARY_ADD, BINARY_MUL. Error: one rounding; sigmoid see simd.ts.
 */
import { relu4, relu6of4, sigmoid4 } from "./simd";

export const UNARY_RELU: i32 = 0;
export const UNARY_RELU6: i32 = 1;
export const UNARY_SIGMOID: i32 = 2;
export const BINARY_ADD: i32 = 0;
export const BINARY_MUL: i32 = 1;

// @ts-ignore: decorator
@inline
function unary(kind: i32, x: v128): v128 {
  if (kind == UNARY_RELU) return relu4(x);
  if (kind == UNARY_RELU6) return relu6of4(x);
  return sigmoid4(x);
}

// @ts-ignore: decorator
@inline
function binary(kind: i32, a: v128, b: v128): v128 {
  if (kind == BINARY_ADD) return f32x4.add(a, b);
  return f32x4.mul(a, b);
}

/** The last 1 to 3 floats of a row go through the same vector code, so that their bits do not depend on the tail. */
export function unary_rows(kind: i32, x: usize, y: usize, rows: i32, n: usize, xRow: usize, yRow: usize): void {
  const body = (n & ~3) << 2;
  const bytes = n << 2;
  for (let i = 0; i < rows; i++) {
    let q: usize = 0;
    for (; q < body; q += 16) v128.store(y + q, unary(kind, v128.load(x + q)));
    for (; q < bytes; q += 4) v128.store_lane<f32>(y + q, unary(kind, v128.load_splat<f32>(x + q)), 0);
    x += xRow;
    y += yRow;
  }
}

export function binary_rows(
  kind: i32, a: usize, b: usize, y: usize, rows: i32, n: usize, aRow: usize, bRow: usize, yRow: usize,
): void {
  const body = (n & ~3) << 2;
  const bytes = n << 2;
  for (let i = 0; i < rows; i++) {
    let q: usize = 0;
    for (; q < body; q += 16) v128.store(y + q, binary(kind, v128.load(a + q), v128.load(b + q)));
    for (; q < bytes; q += 4) {
      v128.store_lane<f32>(y + q, binary(kind, v128.load_splat<f32>(a + q), v128.load_splat<f32>(b + q)), 0);
    }
    a += aRow;
    b += bRow;
    y += yRow;
  }
}

export function binary_scalar_rows(
  kind: i32, a: usize, b: usize, y: usize, rows: i32, n: usize, aRow: usize, yRow: usize,
): void {
  const body = (n & ~3) << 2;
  const bytes = n << 2;
  const s = v128.load_splat<f32>(b);
  for (let i = 0; i < rows; i++) {
    let q: usize = 0;
    for (; q < body; q += 16) v128.store(y + q, binary(kind, v128.load(a + q), s));
    for (; q < bytes; q += 4) v128.store_lane<f32>(y + q, binary(kind, v128.load_splat<f32>(a + q), s), 0);
    a += aRow;
    y += yRow;
  }
}

export function binary_strided(
  kind: i32, a: usize, b: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, b2: usize, b3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  for (let i0 = 0; i0 < n0; i0++, a += a0, b += b0, y += y0) {
    for (let i1 = 0, p1 = a, q1 = b, r1 = y; i1 < n1; i1++, p1 += a1, q1 += b1, r1 += y1) {
      for (let i2 = 0, p2 = p1, q2 = q1, r2 = r1; i2 < n2; i2++, p2 += a2, q2 += b2, r2 += y2) {
        for (let i3 = 0, p = p2, q = q2, r = r2; i3 < n3; i3++, p += a3, q += b3, r += y3) {
          const u = load<f32>(p), v = load<f32>(q);
          store<f32>(r, kind == BINARY_ADD ? u + v : u * v);
        }
      }
    }
  }
}
