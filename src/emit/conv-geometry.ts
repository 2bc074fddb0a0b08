/** How a convolution walks through memory: segments of contiguous floats, and the pixels it can take as one row. */
import { hasBorder, imageBytes, rowBytes, type TensorLayout } from "./layout.js";
import type { ConvStep } from "./steps.js";

export interface ConvGeometry {
  readonly images: number;
  readonly rows: number;
  readonly cols: number;
  /** Floats between neighbouring taps inside a segment: the channel stride, or the channels alone. */
  readonly segmentChannels: number;
  /** Terms of one sum, padding channels included. */
  readonly k: number;
  /** Bytes; see `assembly/kernels/conv.ts`. */
  readonly seg: number;
  readonly nx: number;
  readonly xStep: number;
  readonly ny: number;
  readonly yStep: number;
  readonly xCol: number;
  readonly xRow: number;
  readonly xImage: number;
  /** From the first real pixel of x to the first pixel of the first window (negative when it lies in the border). */
  readonly xStart: number;
}

/** `flat`: whether other tensors of the step (a residual) also lie without border. */
export function convGeometry(step: ConvStep, x: TensorLayout, y: TensorLayout, flat = true): ConvGeometry {
  const [kh, kw] = step.kernel;
  const pixel = x.cs * 4;
  const row = rowBytes(x);
  // Channels of one pixel are one run; neighbouring taps join it unless something lies between them.
  const joined = kw > 1 && step.dilations[1] === 1 && step.groups === 1;
  const segmentChannels = joined ? x.cs : step.ci;
  const walk =
    joined || kw === 1
      ? { seg: (joined ? kw * x.cs : step.ci) * 4, nx: 1, xStep: 0 }
      : { seg: step.ci * 4, nx: kw, xStep: pixel * step.dilations[1] };
  const yStep = row * step.dilations[0];
  const oneRun = kh > 1 && walk.nx === 1 && walk.seg === yStep;
  const vertical =
    kh === 1 || oneRun ? { seg: walk.seg * (oneRun ? kh : 1), ny: 1, yStep: 0 } : { seg: walk.seg, ny: kh, yStep };

  const pointwise = kh === 1 && kw === 1 && step.strides[0] === 1 && step.strides[1] === 1;
  // Pixels below each other are as good as a row: sequences often lie as images of width 1. Seven layers of 9 taps over 98
  // frames took 1.3 (strict) to 1.5 times as long pixel by pixel, depthwise ones 1.5 to 1.9 times (Node 24, Zen 3).
  const tall = y.w === 1 && y.h > 1;
  const asOneRow = flat && pointwise && step.pads.every((p) => p === 0) && !hasBorder(x) && !hasBorder(y);
  return {
    ...(asOneRow
      ? { images: 1, rows: 1, cols: y.n * y.h * y.w }
      : { images: y.n, rows: tall ? 1 : y.h, cols: tall ? y.h : y.w }),
    segmentChannels,
    k: kh * kw * segmentChannels,
    ...walk,
    ...vertical,
    xCol: tall ? step.strides[0] * row : step.strides[1] * pixel,
    xRow: step.strides[0] * row,
    xImage: imageBytes(x),
    xStart: -(step.pads[0] * row + step.pads[1] * pixel),
  };
}
