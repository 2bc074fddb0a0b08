/**
 * Written by scripts/generate-tiles.mjs from src/kernels/tile-source.ts; do not edit.
 *
 * Convolution tiles with sizes as arguments: tile<pixels>x<channels>; arguments and order of the sums: conv.ts.
 */
import { activate, madd } from "./simd";

export function tile1x4(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  let c00 = v128.load(w);
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
  }
  let x: v128, w0: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act);
  }
  v128.store(y, c00);
}

export function tile1x8(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
  }
  let x: v128, w0: v128, w1: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
}

export function tile1x12(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const panel2 = panel * 2;
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  let c02 = v128.load(w + panel2);
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
    c02 = f32x4.add(c02, v128.load(rs, 32));
  }
  let x: v128, w0: v128, w1: v128, w2: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel); w2 = v128.load(q + panel2);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01); c02 = madd(x, w2, c02);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act); c02 = activate(c02, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
  v128.store(y, c02, 32);
}

export function tile2x4(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  let c00 = v128.load(w);
  let c10 = c00;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
  }
  let x: v128, w0: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act);
    c10 = activate(c10, act);
  }
  v128.store(y, c00);
  v128.store(y + yCol, c10);
}

export function tile2x8(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  let c10 = c00, c11 = c01;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c11 = f32x4.add(c11, v128.load(rs + rCol, 16));
  }
  let x: v128, w0: v128, w1: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act);
    c10 = activate(c10, act); c11 = activate(c11, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
  v128.store(y + yCol, c10);
  v128.store(y + yCol, c11, 16);
}

export function tile2x12(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const panel2 = panel * 2;
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  let c02 = v128.load(w + panel2);
  let c10 = c00, c11 = c01, c12 = c02;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
    c02 = f32x4.add(c02, v128.load(rs, 32));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c11 = f32x4.add(c11, v128.load(rs + rCol, 16));
    c12 = f32x4.add(c12, v128.load(rs + rCol, 32));
  }
  let x: v128, w0: v128, w1: v128, w2: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel); w2 = v128.load(q + panel2);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01); c02 = madd(x, w2, c02);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10); c11 = madd(x, w1, c11); c12 = madd(x, w2, c12);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act); c02 = activate(c02, act);
    c10 = activate(c10, act); c11 = activate(c11, act); c12 = activate(c12, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
  v128.store(y, c02, 32);
  v128.store(y + yCol, c10);
  v128.store(y + yCol, c11, 16);
  v128.store(y + yCol, c12, 32);
}

export function tile3x4(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const xCol2 = xCol * 2;
  const yCol2 = yCol * 2;
  const rCol2 = rCol * 2;
  let c00 = v128.load(w);
  let c10 = c00;
  let c20 = c00;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c20 = f32x4.add(c20, v128.load(rs + rCol2));
  }
  let x: v128, w0: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10);
        x = v128.load32_splat(a + xCol2); c20 = madd(x, w0, c20);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act);
    c10 = activate(c10, act);
    c20 = activate(c20, act);
  }
  v128.store(y, c00);
  v128.store(y + yCol, c10);
  v128.store(y + yCol2, c20);
}

export function tile3x8(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const xCol2 = xCol * 2;
  const yCol2 = yCol * 2;
  const rCol2 = rCol * 2;
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  let c10 = c00, c11 = c01;
  let c20 = c00, c21 = c01;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c11 = f32x4.add(c11, v128.load(rs + rCol, 16));
    c20 = f32x4.add(c20, v128.load(rs + rCol2));
    c21 = f32x4.add(c21, v128.load(rs + rCol2, 16));
  }
  let x: v128, w0: v128, w1: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
        x = v128.load32_splat(a + xCol2); c20 = madd(x, w0, c20); c21 = madd(x, w1, c21);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act);
    c10 = activate(c10, act); c11 = activate(c11, act);
    c20 = activate(c20, act); c21 = activate(c21, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
  v128.store(y + yCol, c10);
  v128.store(y + yCol, c11, 16);
  v128.store(y + yCol2, c20);
  v128.store(y + yCol2, c21, 16);
}

export function tile3x12(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const xCol2 = xCol * 2;
  const yCol2 = yCol * 2;
  const rCol2 = rCol * 2;
  const panel2 = panel * 2;
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  let c02 = v128.load(w + panel2);
  let c10 = c00, c11 = c01, c12 = c02;
  let c20 = c00, c21 = c01, c22 = c02;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
    c02 = f32x4.add(c02, v128.load(rs, 32));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c11 = f32x4.add(c11, v128.load(rs + rCol, 16));
    c12 = f32x4.add(c12, v128.load(rs + rCol, 32));
    c20 = f32x4.add(c20, v128.load(rs + rCol2));
    c21 = f32x4.add(c21, v128.load(rs + rCol2, 16));
    c22 = f32x4.add(c22, v128.load(rs + rCol2, 32));
  }
  let x: v128, w0: v128, w1: v128, w2: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel); w2 = v128.load(q + panel2);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01); c02 = madd(x, w2, c02);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10); c11 = madd(x, w1, c11); c12 = madd(x, w2, c12);
        x = v128.load32_splat(a + xCol2); c20 = madd(x, w0, c20); c21 = madd(x, w1, c21); c22 = madd(x, w2, c22);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act); c02 = activate(c02, act);
    c10 = activate(c10, act); c11 = activate(c11, act); c12 = activate(c12, act);
    c20 = activate(c20, act); c21 = activate(c21, act); c22 = activate(c22, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
  v128.store(y, c02, 32);
  v128.store(y + yCol, c10);
  v128.store(y + yCol, c11, 16);
  v128.store(y + yCol, c12, 32);
  v128.store(y + yCol2, c20);
  v128.store(y + yCol2, c21, 16);
  v128.store(y + yCol2, c22, 32);
}

export function tile4x4(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const xCol2 = xCol * 2;
  const xCol3 = xCol * 3;
  const yCol2 = yCol * 2;
  const yCol3 = yCol * 3;
  const rCol2 = rCol * 2;
  const rCol3 = rCol * 3;
  let c00 = v128.load(w);
  let c10 = c00;
  let c20 = c00;
  let c30 = c00;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c20 = f32x4.add(c20, v128.load(rs + rCol2));
    c30 = f32x4.add(c30, v128.load(rs + rCol3));
  }
  let x: v128, w0: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10);
        x = v128.load32_splat(a + xCol2); c20 = madd(x, w0, c20);
        x = v128.load32_splat(a + xCol3); c30 = madd(x, w0, c30);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act);
    c10 = activate(c10, act);
    c20 = activate(c20, act);
    c30 = activate(c30, act);
  }
  v128.store(y, c00);
  v128.store(y + yCol, c10);
  v128.store(y + yCol2, c20);
  v128.store(y + yCol3, c30);
}

export function tile4x8(a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32): void {
  const xCol2 = xCol * 2;
  const xCol3 = xCol * 3;
  const yCol2 = yCol * 2;
  const yCol3 = yCol * 3;
  const rCol2 = rCol * 2;
  const rCol3 = rCol * 3;
  let c00 = v128.load(w);
  let c01 = v128.load(w + panel);
  let c10 = c00, c11 = c01;
  let c20 = c00, c21 = c01;
  let c30 = c00, c31 = c01;
  if (rs) {
    c00 = f32x4.add(c00, v128.load(rs));
    c01 = f32x4.add(c01, v128.load(rs, 16));
    c10 = f32x4.add(c10, v128.load(rs + rCol));
    c11 = f32x4.add(c11, v128.load(rs + rCol, 16));
    c20 = f32x4.add(c20, v128.load(rs + rCol2));
    c21 = f32x4.add(c21, v128.load(rs + rCol2, 16));
    c30 = f32x4.add(c30, v128.load(rs + rCol3));
    c31 = f32x4.add(c31, v128.load(rs + rCol3, 16));
  }
  let x: v128, w0: v128, w1: v128;
  let q = w + 16;
  for (let ky = 0; ky < ny; ky++) {
    for (let kx = 0; kx < nx; kx++) {
      const end = a + seg;
      do {
        w0 = v128.load(q); w1 = v128.load(q + panel);
        x = v128.load32_splat(a); c00 = madd(x, w0, c00); c01 = madd(x, w1, c01);
        x = v128.load32_splat(a + xCol); c10 = madd(x, w0, c10); c11 = madd(x, w1, c11);
        x = v128.load32_splat(a + xCol2); c20 = madd(x, w0, c20); c21 = madd(x, w1, c21);
        x = v128.load32_splat(a + xCol3); c30 = madd(x, w0, c30); c31 = madd(x, w1, c31);
        a += 4; q += 16;
      } while (a < end);
      a += xStep - seg;
    }
    a += yStep - <usize>nx * xStep;
  }
  if (act) {
    c00 = activate(c00, act); c01 = activate(c01, act);
    c10 = activate(c10, act); c11 = activate(c11, act);
    c20 = activate(c20, act); c21 = activate(c21, act);
    c30 = activate(c30, act); c31 = activate(c31, act);
  }
  v128.store(y, c00);
  v128.store(y, c01, 16);
  v128.store(y + yCol, c10);
  v128.store(y + yCol, c11, 16);
  v128.store(y + yCol2, c20);
  v128.store(y + yCol2, c21, 16);
  v128.store(y + yCol3, c30);
  v128.store(y + yCol3, c31, 16);
}
