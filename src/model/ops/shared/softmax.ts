import type { NdArray } from "../../define-op.js";
import { sizeOf } from "../../types.js";
import { zeros } from "./taps.js";

/** Calls `visit` for each run along `axis` with the offset of its first element and the stride inside it. */
export function visitRuns(
  shape: readonly number[],
  axis: number,
  visit: (first: number, stride: number) => void,
): void {
  const stride = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  for (let r = 0; r < outer; r++) for (let s = 0; s < stride; s++) visit(r * shape[axis]! * stride + s, stride);
}

/** Softmax of x / temperature along `axis`, shifted by the maximum so that exp never overflows. */
export function softmaxRows(x: NdArray, axis: number, temperature = 1): NdArray {
  const y = zeros(x.shape);
  const n = x.shape[axis]!;
  visitRuns(x.shape, axis, (first, stride) => {
    let max = -Infinity;
    for (let i = 0; i < n; i++) max = Math.max(max, x.data[first + i * stride]!);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const p = first + i * stride;
      y[p] = Math.exp((x.data[p]! - max) / temperature);
      sum += y[p];
    }
    for (let i = 0; i < n; i++) y[first + i * stride]! /= sum;
  });
  return { data: y, shape: x.shape };
}
