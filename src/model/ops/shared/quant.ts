import { z } from "zod";
import type { CutContext } from "../../cut.js";
import type { NdArray } from "../../define-op.js";
import { IdapError } from "../../errors.js";
import { sizeOf, type Dtype, type TensorType } from "../../types.js";
import { showType } from "./checks.js";

/** real = scale * (q - zeroPoint): one entry for the whole tensor, or one scale for each index of `axis`. */
export const scaleAttrs = z.strictObject({
  scale: z.array(z.number().positive()).min(1),
  /** As many as scales, or one for all. */
  zeroPoint: z.array(z.int()).min(1),
  axis: z.int().nonnegative().nullable(),
});
export type ScaleAttrs = z.infer<typeof scaleAttrs>;

export const quantAttrs = scaleAttrs.extend({
  dtype: z.enum(["i8", "u8", "i32"]),
  /**
   * Where the quotient lies half way: `away` from zero as most of TFLite, to the `even` integer as ONNX, or away from the
   * `code` 0, zero point included, as TFLite's kernels that average codes.
   */
  rounding: z.enum(["away", "even", "code"]).default("away"),
});
export type QuantAttrs = z.infer<typeof quantAttrs>;

/** Smallest and largest value of each integer dtype. */
export const INTEGER_RANGE: Readonly<Record<"i8" | "u8" | "i32", readonly [number, number]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i32: [-(2 ** 31), 2 ** 31 - 1],
};

/** Throws unless the scales fit the tensor, and the zero point of 32-bit integers is 0, so that sums with it stay in range. */
export function needScales(op: string, x: TensorType, { scale, zeroPoint, axis }: ScaleAttrs, q: Dtype): void {
  if (axis !== null && axis === x.batchAxis)
    throw new IdapError("E_BATCH", `${op}: axis ${axis} of ${showType(x)} is the batch`);
  const length = axis === null ? 1 : (x.shape[axis] ?? 0);
  if (scale.length !== length || (zeroPoint.length !== length && zeroPoint.length !== 1)) {
    throw new IdapError(
      "E_QUANT",
      `${op}: ${showType(x)} has ${scale.length} scales and ${zeroPoint.length} zero points for axis ${axis}`,
    );
  }
  if (q === "i32" && zeroPoint.some((z) => z !== 0)) {
    throw new IdapError("E_QUANT", `${op}: 32-bit integers have the zero point 0, got ${zeroPoint}`);
  }
}

/** The entries of the indices that stay. */
export function cutScales<A extends ScaleAttrs>(c: CutContext, a: A): A {
  if (a.axis === null) return a;
  const kept = c.keptInput(0, a.axis);
  const pick = (values: number[]): number[] => (values.length === 1 ? values : kept.map((i) => values[i]!));
  return { ...a, scale: pick(a.scale), zeroPoint: pick(a.zeroPoint) };
}

/** f(x, scale, zeroPoint) element by element; the scale is the f32 number that files hold. */
export function mapScales(
  { data, shape }: NdArray,
  { scale, zeroPoint, axis }: ScaleAttrs,
  f: (x: number, scale: number, zeroPoint: number) => number,
): NdArray {
  const scales = scale.map(Math.fround);
  const run = axis === null ? data.length : sizeOf(shape.slice(axis + 1));
  return {
    shape,
    data: data.map((x, p) => {
      const i = Math.floor(p / run) % scales.length;
      return f(x, scales[i]!, zeroPoint[zeroPoint.length === 1 ? 0 : i]!);
    }),
  };
}

/**
 * The integer that stands for x, less the zero point. The quotient is rounded to f32 first, as TFLite and ONNX Runtime
 * do, so that values half way between two integers end where theirs do. NaN becomes the zero point.
 */
export function stepsOf(x: number, scale: number, zeroPoint: number, { dtype, rounding }: QuantAttrs): number {
  const [low, high] = INTEGER_RANGE[dtype];
  const quotient = Math.fround(Math.fround(x) / scale);
  if (Number.isNaN(quotient)) return 0;
  const whole = roundTo(quotient, zeroPoint, rounding);
  return Math.min(Math.max(whole, low - zeroPoint), high - zeroPoint);
}

function roundTo(quotient: number, zeroPoint: number, rounding: QuantAttrs["rounding"]): number {
  switch (rounding) {
    case "away":
      return roundAway(quotient);
    case "even":
      return roundEven(quotient);
    case "code":
      return roundAway(Math.fround(quotient + zeroPoint)) - zeroPoint;
  }
}

/** To the nearest integer; halves away from zero. */
export function roundAway(x: number): number {
  const whole = Math.trunc(x);
  return Math.abs(x - whole) >= 0.5 ? whole + Math.sign(x) : whole;
}

/** To the nearest integer; halves to the even one. */
export function roundEven(x: number): number {
  const low = Math.floor(x);
  const gap = x - low;
  if (gap !== 0.5) return gap < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}
