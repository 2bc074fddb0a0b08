import type { NdArray } from "../../define-op.js";
import { stridesOf, type Shape } from "../../types.js";
import { zeros } from "./taps.js";

/** Calls `visit` with every index of a shape in row-major order; the array is reused. */
export function visitIndices(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  let total = 1;
  for (const d of shape) total *= d;
  for (let flat = 0; flat < total; flat++) {
    visit(index, flat);
    for (let k = shape.length - 1; k >= 0; k--) {
      if (++index[k]! < shape[k]!) break;
      index[k] = 0;
    }
  }
}

/** Copies `from` into a new array: element `index` of the result is element `source(index)` of `from`. */
export function gather(from: NdArray, shape: Shape, source: (index: readonly number[]) => readonly number[]): NdArray {
  const strides = stridesOf(from.shape);
  const data = zeros(shape);
  visitIndices(shape, (index, flat) => {
    let p = 0;
    source(index).forEach((i, k) => (p += i * strides[k]!));
    data[flat] = from.data[p]!;
  });
  return { data, shape };
}
