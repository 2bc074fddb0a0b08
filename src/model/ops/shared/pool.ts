import { z } from "zod";
import type { Coupling } from "../../coupling.js";
import { IdapError } from "../../errors.js";
import type { Shape, TensorType } from "../../types.js";
import { needBatchFirst, needF32, needRank } from "./checks.js";
import type { WindowAttrs } from "./taps.js";
import { pads2d, pair, windowExtent } from "./window.js";

/** Without `dilations` the taps of a window are neighbours. */
export const poolGeometry = { kernel: pair, strides: pair, pads: pads2d, dilations: pair.optional() };
export interface PoolGeometry {
  kernel: [number, number];
  strides: [number, number];
  pads: [number, number, number, number];
  dilations?: [number, number] | undefined;
}

/**
 * What the windows of an average are divided by. `padsCounted`: how much of `pads` counts as zeros of the image where
 * padding counts at all, the rest being there for the last window alone (ONNX's and PyTorch's ceil mode); without it all.
 */
export const averageGeometry = { ...poolGeometry, countIncludePad: z.boolean(), padsCounted: pads2d.optional() };
export interface AverageGeometry extends PoolGeometry {
  countIncludePad: boolean;
  padsCounted?: [number, number, number, number] | undefined;
}

/** [n, h, w, c] -> [n, oh, ow, c]. */
export function poolType(op: string, x: TensorType | undefined, a: PoolGeometry): TensorType {
  needRank(op, "x", x, 4);
  needF32(op, [x!]);
  needBatchFirst(op, "x", x!);
  const [n, h, w, c] = x!.shape as [number, number, number, number];
  const extents = ([0, 1] as const).map((k) => {
    const [size, kernel, stride, dilation] = [[h, w][k]!, a.kernel[k], a.strides[k], a.dilations?.[k] ?? 1];
    const out = windowExtent(size, kernel, stride, dilation, a.pads[k] + a.pads[k + 2]!);
    // Taps jump over an input that is smaller than their distance; otherwise the outermost windows miss it first.
    const jumps = size < dilation && stride % dilation !== 0;
    for (let i = 0; i < out; i += jumps ? 1 : Math.max(out - 1, 1)) {
      if (tapsInside(i * stride - a.pads[k], kernel, dilation, 0, size) === 0) {
        throw new IdapError(
          "E_WINDOW",
          `${op}: padding [${a.pads}] lets a window of [${a.kernel}] miss the input of ${h} x ${w}`,
        );
      }
    }
    return out;
  });
  return { dtype: "f32", shape: [n, ...extents, c], batchAxis: x!.batchAxis };
}

/** How many taps of a window that starts at `start` lie from `low` to before `high`. */
function tapsInside(start: number, kernel: number, dilation: number, low: number, high: number): number {
  const first = Math.max(0, Math.ceil((low - start) / dilation));
  const end = Math.min(kernel, Math.ceil((high - start) / dilation));
  return Math.max(0, end - first);
}

/** Channels pass through; windows freeze the spatial axes. */
export function couplePool(c: Coupling): void {
  c.tie(c.input(0, 3), c.output(0, 3));
}

/** What each output pixel of an average is divided by: the taps inside the input, or inside it and its padding. */
export function divisors(input: Shape, output: Shape, a: AverageGeometry & WindowAttrs): Float64Array {
  const [n, h, w] = input as [number, number, number];
  const [, oh, ow] = output as [number, number, number];
  const [top, left, bottom, right] = a.countIncludePad ? (a.padsCounted ?? a.pads) : [0, 0, 0, 0];
  const [dy, dx] = a.dilations ?? [1, 1];
  const count = new Float64Array(n * oh * ow);
  for (let q = 0; q < count.length; q++) {
    const i = Math.floor(q / ow) % oh;
    const rows = tapsInside(i * a.strides[0] - a.pads[0], a.kernel[0], dy, -top, h + bottom);
    count[q] = rows * tapsInside((q % ow) * a.strides[1] - a.pads[1], a.kernel[1], dx, -left, w + right);
  }
  return count;
}

/** How many windows may hold one element: as many as a window has taps, fewer when the stride jumps over some. */
export function windowsOver({ kernel, strides, dilations = [1, 1] }: PoolGeometry): number {
  const along = (k: 0 | 1): number => (dilations[k] === 1 ? Math.ceil(kernel[k] / strides[k]) : kernel[k]);
  return along(0) * along(1);
}
