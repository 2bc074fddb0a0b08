import { sizeOf, type Shape } from "../../types.js";

export interface WindowAttrs {
  readonly strides: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
}

/**
 * Visits every (input pixel, output pixel, tap) of a sliding window that lies inside the input: output pixels in
 * row-major order, and for each its taps in row-major order. Pixels are flat indices over [n, h, w].
 */
export function visitTaps(
  input: Shape,
  output: Shape,
  [kh, kw]: readonly [number, number],
  { strides, dilations = [1, 1], pads }: WindowAttrs,
  visit: (inPixel: number, outPixel: number, tap: number) => void,
): void {
  const [n, h, w] = input as [number, number, number];
  const [, oh, ow] = output as [number, number, number];
  let q = 0;
  for (let s = 0; s < n; s++)
    for (let i = 0; i < oh; i++)
      for (let j = 0; j < ow; j++, q++)
        for (let ky = 0; ky < kh; ky++) {
          const y = i * strides[0] + ky * dilations[0] - pads[0];
          if (y < 0 || y >= h) continue;
          for (let kx = 0; kx < kw; kx++) {
            const x = j * strides[1] + kx * dilations[1] - pads[1];
            if (x < 0 || x >= w) continue;
            visit((s * h + y) * w + x, q, ky * kw + kx);
          }
        }
}

/** A zeroed f64 array of a shape. */
export function zeros(shape: Shape): Float64Array {
  return new Float64Array(sizeOf(shape));
}
