/**
 * Picking by index: y[i0, i1, i2, i3] = x[i0, i1, i2, i3, pick], where pick is an i32 of `indices` at the same place.
 * Words of any kind, exact. Strides are bytes, each operand has its own (0 repeats); `step` is the stride of the axis
 * picked from, `extent` its length. Negative picks count from the end; those beyond either end are taken as the end.
 */
export function gather_strided(
  x: usize, indices: usize, y: usize, step: usize, extent: i32, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, i0: usize, i1: usize, i2: usize, i3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  const rows = i3 == 0 && x3 == 4 && y3 == 4;
  for (let a = 0; a < n0; a++, x += x0, indices += i0, y += y0) {
    for (let b = 0, xa = x, ia = indices, ya = y; b < n1; b++, xa += x1, ia += i1, ya += y1) {
      for (let c = 0, xb = xa, ib = ia, yb = ya; c < n2; c++, xb += x2, ib += i2, yb += y2) {
        if (rows) {
          const from = xb + pick(ib, extent) * step, bytes = <usize>n3 << 2, whole = bytes & ~15;
          let q: usize = 0;
          for (; q < whole; q += 16) v128.store(yb + q, v128.load(from + q));
          for (; q < bytes; q += 4) store<u32>(yb + q, load<u32>(from + q));
          continue;
        }
        for (let d = 0, xc = xb, ic = ib, yc = yb; d < n3; d++, xc += x3, ic += i3, yc += y3) {
          store<u32>(yc, load<u32>(xc + pick(ic, extent) * step));
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function pick(at: usize, extent: i32): usize {
  const i = load<i32>(at);
  return <usize>min(max(i < 0 ? i + extent : i, 0), extent - 1);
}
