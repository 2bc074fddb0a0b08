import type { Coupling } from "../../coupling.js";
import { IdapError } from "../../errors.js";
import type { Shape, TensorType } from "../../types.js";
import { needBatchFirst, needF32, needRank } from "./checks.js";
import { visitTaps, type WindowAttrs } from "./taps.js";
import { pads2d, pair, windowExtent } from "./window.js";

export const poolGeometry = { kernel: pair, strides: pair, pads: pads2d };
export interface PoolGeometry {
  kernel: [number, number];
  strides: [number, number];
  pads: [number, number, number, number];
}

/** [n, h, w, c] -> [n, oh, ow, c]. */
export function poolType(op: string, x: TensorType | undefined, a: PoolGeometry): TensorType {
  needRank(op, "x", x, 4);
  needF32(op, [x!]);
  needBatchFirst(op, "x", x!);
  const [top, left, bottom, right] = a.pads;
  if (Math.max(top, bottom) >= a.kernel[0] || Math.max(left, right) >= a.kernel[1]) {
    throw new IdapError("E_WINDOW", `${op}: padding [${a.pads}] would let a window of [${a.kernel}] miss the input`);
  }
  const [n, h, w, c] = x!.shape as [number, number, number, number];
  const oh = windowExtent(h, a.kernel[0], a.strides[0], 1, top + bottom);
  const ow = windowExtent(w, a.kernel[1], a.strides[1], 1, left + right);
  return { dtype: "f32", shape: [n, oh, ow, c], batchAxis: x!.batchAxis };
}

/** Channels pass through; windows freeze the spatial axes. */
export function couplePool(c: Coupling): void {
  c.tie(c.input(0, 3), c.output(0, 3));
}

/** What each output pixel of an average is divided by: the taps inside the input, or the whole window. */
export function divisors(
  input: Shape,
  output: Shape,
  a: PoolGeometry & WindowAttrs,
  countIncludePad: boolean,
): Float64Array {
  const count = new Float64Array(output[0]! * output[1]! * output[2]!);
  if (countIncludePad) count.fill(a.kernel[0] * a.kernel[1]);
  else visitTaps(input, output, a.kernel, a, (_, q) => count[q]!++);
  return count;
}
