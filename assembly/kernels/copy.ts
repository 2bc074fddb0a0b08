/**
 * Moving values: pad, crop, slice, concatenation, transposition, change of layout. All f32, all exact.
 *
 *   copy_rows(x, y, rows, bytes, xRow, yRow)                      rows of contiguous bytes
 *   copy_strided(x, y, n0, n1, n2, n3, x0..x3, y0..y3)            any permutation or stride; vectors where rows are contiguous
 *   fill_rows(y, rows, bytes, yRow)                               zeros
 *   fill_value(y, count, value)                                   count floats
 *   clear_border(y, height, width, pixel, top, left, bottom, right)  zeros around an image
 *
 * Addresses are bytes; `xRow` and the like are byte distances; counts are numbers of items.
 */

export function copy_rows(x: usize, y: usize, rows: i32, bytes: usize, xRow: usize, yRow: usize): void {
  for (let i = 0; i < rows; i++) {
    memory.copy(y, x, bytes);
    x += xRow;
    y += yRow;
  }
}

/** y[i0, i1, i2, i3] = x[i0, i1, i2, i3], each with byte strides of its own (0 repeats, negative ones run backwards). */
export function copy_strided(
  x: usize, y: usize, n0: i32, n1: i32, n2: i32, n3: i32,
  x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  const vectors = x3 == 4 && y3 == 4 ? n3 & ~3 : 0;
  const bytes = <usize>vectors << 2;
  for (let i0 = 0; i0 < n0; i0++, x += x0, y += y0) {
    for (let i1 = 0, xa = x, ya = y; i1 < n1; i1++, xa += x1, ya += y1) {
      for (let i2 = 0, xb = xa, yb = ya; i2 < n2; i2++, xb += x2, yb += y2) {
        for (let q: usize = 0; q < bytes; q += 16) v128.store(yb + q, v128.load(xb + q));
        for (let i3 = vectors, xc = xb + bytes, yc = yb + bytes; i3 < n3; i3++, xc += x3, yc += y3) {
          store<u32>(yc, load<u32>(xc));
        }
      }
    }
  }
}

export function fill_rows(y: usize, rows: i32, bytes: usize, yRow: usize): void {
  for (let i = 0; i < rows; i++) {
    memory.fill(y, 0, bytes);
    y += yRow;
  }
}

export function fill_value(y: usize, count: i32, value: f32): void {
  for (const end = y + (<usize>count << 2); y < end; y += 4) store<f32>(y, value);
}

/**
 * Zeros the border of an image buffer that starts at `y`: rows of (left + width + right) pixels of `pixel` bytes,
 * top + height + bottom of them. The right border of a row and the left one of the next are one run of bytes.
 */
export function clear_border(
  y: usize, height: i32, width: usize, pixel: usize, top: usize, left: usize, bottom: usize, right: usize,
): void {
  const row = (left + width + right) * pixel;
  const head = top * row + left * pixel;
  memory.fill(y, 0, head);
  y += head + width * pixel;
  const gap = (left + right) * pixel;
  if (gap) {
    for (let i = 1; i < height; i++) {
      memory.fill(y, 0, gap);
      y += row;
    }
  } else {
    y += <usize>(height - 1) * row;
  }
  memory.fill(y, 0, bottom * row + right * pixel);
}
