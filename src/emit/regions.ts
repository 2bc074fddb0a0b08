/** How steps walk through their tensors: collapsed loops, and which parts of its output a step leaves unwritten. */
import { sameShape, sizeOf } from "../model/types.js";
import { axisStrides, hasBorder, type TensorLayout } from "./layout.js";
import type { BinaryStep, MoveStep, Step } from "./steps.js";

/** A counted loop with one byte stride for each operand. */
export interface Loop {
  readonly count: number;
  readonly strides: readonly number[];
}

/** Drops loops of one iteration and merges neighbours that are one run in all operands; outermost first. */
export function collapse(loops: readonly Loop[]): Loop[] {
  const result: Loop[] = [];
  for (const loop of loops) {
    if (loop.count === 1) continue;
    const last = result.at(-1);
    if (last && last.strides.every((s, i) => s === loop.strides[i]! * loop.count)) {
      result[result.length - 1] = { count: last.count * loop.count, strides: loop.strides };
    } else {
      result.push(loop);
    }
  }
  return result;
}

export function moveLoops(step: MoveStep, x: TensorLayout, y: TensorLayout): Loop[] {
  const xs = axisStrides(x);
  const ys = axisStrides(y);
  return collapse(
    step.loops.map((l) => ({
      count: l.count,
      strides: [l.x ? xs[l.x.axis]! * l.x.step : 0, ys[l.y.axis]! * l.y.step],
    })),
  );
}

/** Bytes from the first element to the element of this index. */
export function indexBytes(l: TensorLayout, index: readonly number[]): number {
  const strides = axisStrides(l);
  return index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);
}

/** Shape of a broadcast operand over the axes of y, aligned at the last axis, 1 where it repeats. */
export function broadcastShape(shape: readonly number[], rank: number): number[] {
  return [...new Array<number>(rank - shape.length).fill(1), ...shape];
}

export type BinaryForm = "scalar" | "same" | "channel" | "strided";

/** Which kernel a binary step takes. */
export function binaryForm(step: BinaryStep, layouts: ReadonlyMap<string, TensorLayout>): BinaryForm {
  const a = layouts.get(step.a)!,
    y = layouts.get(step.y)!;
  const b = "tensor" in step.b ? layouts.get(step.b.tensor)!.shape : step.b.shape;
  if (!sameShape(a.shape, y.shape) || a.cs !== y.cs) return "strided";
  if (sizeOf(b) === 1) return "scalar";
  if (sameShape(b, y.shape)) return "tensor" in step.b && layouts.get(step.b.tensor)!.cs !== y.cs ? "strided" : "same";
  const perChannel = b.length > 0 && b.at(-1) === y.c && sizeOf(b) === y.c;
  return perChannel ? "channel" : "strided";
}

/** Floats of a pixel that a per-channel step writes: the padding too, when the operand has that many. */
export function channelSpan(step: BinaryStep, layouts: ReadonlyMap<string, TensorLayout>): number {
  const y = layouts.get(step.y)!;
  const available = "tensor" in step.b ? layouts.get(step.b.tensor)!.cs : Math.ceil(y.c / 4) * 4;
  return available >= y.cs ? y.cs : y.c;
}

/** Whether the step writes the padding channels of its output as well as the channels. */
export function writesPadding(step: Step, layouts: ReadonlyMap<string, TensorLayout>, tensor = step.y): boolean {
  const y = layouts.get(tensor)!;
  if (y.cs === y.c) return true;
  switch (step.kind) {
    case "conv":
    case "depthwise":
    case "pool":
    case "unary":
    case "fill":
      return true;
    case "reduce":
      return step.axes.length === 2;
    case "binary": {
      const form = binaryForm(step, layouts);
      return form === "same" || form === "scalar" || (form === "channel" && channelSpan(step, layouts) === y.cs);
    }
    default:
      return false;
  }
}

/** Rows of contiguous floats that element-wise kernels run over: all at once where nothing has a border. */
export function elementRows(layouts: readonly TensorLayout[]): { images: number; rows: number; floats: number } {
  const y = layouts[0]!;
  const floats = y.w * y.cs;
  if (layouts.some(hasBorder)) return { images: y.n, rows: y.h, floats };
  return { images: 1, rows: 1, floats: y.n * y.h * floats };
}
