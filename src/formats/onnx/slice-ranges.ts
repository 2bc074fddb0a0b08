import { axisOf } from "../shared/check.js";
import type { OnnxOp } from "./op.js";

/** What is taken of one axis: `size` indices from `begin` on, `step` apart. */
export interface Range {
  readonly begin: number;
  readonly size: number;
  readonly step: number;
}

export interface SliceLists {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes: readonly number[] | null;
  readonly steps: readonly number[] | null;
}

/** Ranges of every axis as ONNX's `Slice` states them: negative bounds count from the end, all are cut to the extent. */
export function sliceRanges(op: OnnxOp, shape: readonly number[], lists: SliceLists): Range[] {
  const { starts, ends } = lists;
  const axes = (lists.axes ?? starts.map((_, i) => i)).map((a) => axisOf(a, shape.length, op.where));
  const steps = lists.steps ?? starts.map(() => 1);
  if (starts.length !== ends.length || starts.length !== axes.length || starts.length !== steps.length) {
    throw op.malformed(
      `has ${starts.length} starts, ${ends.length} ends, ${axes.length} axes and ${steps.length} steps`,
    );
  }
  const ranges: Range[] = shape.map((d) => ({ begin: 0, size: d, step: 1 }));
  axes.forEach((axis, i) => {
    const d = shape[axis]!;
    const step = steps[i]!;
    if (!Number.isInteger(step) || step === 0) throw op.malformed(`has a step of ${step}`);
    const clamp = (n: number, least: number, most: number): number =>
      Math.min(Math.max(n < 0 ? n + d : n, least), most);
    const begin = step > 0 ? clamp(starts[i]!, 0, d) : clamp(starts[i]!, -1, d - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, d) : clamp(ends[i]!, -1, d - 1);
    ranges[axis] = { begin, size: Math.max(0, Math.ceil((end - begin) / step)), step };
  });
  return ranges;
}
