/**
 * Weights of a convolution into the panels that the forward kernels read, on the host where they change at every step.
 * Element (ky, kx, c, o) of the source is at w + ky*strideY + kx*strideX + c*strideC + o*strideO (bytes, may be negative:
 * the input gradient is a convolution with the taps reversed and the channels swapped).
 * Panels: `width` output channels each (the last may be narrower: `co` is then padded to four); every panel is one row of
 * bias and then kh*kw*paddedCi rows of weights. Padding is zero. `bias` 0 means none.
 */
export function pack_panels(
  w: usize, strideY: i32, strideX: i32, strideC: i32, strideO: i32, bias: usize,
  kh: i32, kw: i32, ci: i32, paddedCi: i32, co: i32, out: usize,
): void {
  const paddedCo = (co + 3) & ~3;
  let first = 0;
  while (first < paddedCo) {
    const left = paddedCo - first;
    const width = left >= 16 ? 16 : left >= 8 ? 8 : 4;
    for (let j = 0; j < width; j++) {
      const o = first + j;
      store<f32>(out, bias && o < co ? load<f32>(bias + (<usize>o << 2)) : 0);
      out += 4;
    }
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        for (let c = 0; c < paddedCi; c++) {
          const p = w + <usize>(ky * strideY + kx * strideX + c * strideC);
          for (let j = 0; j < width; j++) {
            const o = first + j;
            store<f32>(out, c < ci && o < co ? load<f32>(p + <usize>(o * strideO)) : 0);
            out += 4;
          }
        }
      }
    }
    first += width;
  }
}

/** Depthwise weights (ky, kx, c) into [c/4][bias | taps][4]; strides as above. */
export function pack_depthwise(
  w: usize, strideY: i32, strideX: i32, strideC: i32, bias: usize, kh: i32, kw: i32, channels: i32, out: usize,
): void {
  const padded = (channels + 3) & ~3;
  for (let first = 0; first < padded; first += 4) {
    for (let j = 0; j < 4; j++) {
      const c = first + j;
      store<f32>(out, bias && c < channels ? load<f32>(bias + (<usize>c << 2)) : 0);
      out += 4;
    }
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const p = w + <usize>(ky * strideY + kx * strideX);
        for (let j = 0; j < 4; j++) {
          const c = first + j;
          store<f32>(out, c < channels ? load<f32>(p + <usize>(c * strideC)) : 0);
          out += 4;
        }
      }
    }
  }
}
