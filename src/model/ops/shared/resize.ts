/**
 * Resampling along one axis: which inputs an output is made of, and with what weights. Source positions are computed in
 * f32, operation by operation, as the runtimes do, because nearest neighbours jump where a position is a whole number;
 * weights are f32 numbers.
 */
import type { AxisMap, Tap } from "./axis-map.js";

/** Where the centre or edge of an output lies in the input. Names are ONNX's (`coordinate_transformation_mode`). */
export const COORDINATES = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
] as const;

/** What a position between two inputs becomes (ONNX `nearest_mode`). */
export const ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] as const;

export interface Sampling {
  readonly mode: "nearest" | "linear" | "cubic";
  readonly coordinates: (typeof COORDINATES)[number];
  readonly rounding: (typeof ROUNDINGS)[number];
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
}

const f = Math.fround;

/**
 * Source position of output `i`.
 * @param scale output / input as an ONNX model states it; null: TensorFlow's rule, a product with f32(input / output)
 */
function position(i: number, input: number, output: number, scale: number | null, coordinates: string): number {
  if (scale === null) {
    const aligned = coordinates === "align_corners" && output > 1;
    const step = aligned ? f((input - 1) / (output - 1)) : f(input / output);
    switch (coordinates) {
      case "half_pixel":
        return f(f((i + 0.5) * step) - 0.5);
      case "tf_half_pixel_for_nn":
        return f((i + 0.5) * step);
      case "align_corners":
      case "asymmetric":
        return f(i * step);
    }
  }
  const s = f(scale ?? output / input);
  const half = (): number => f(f((i + 0.5) / s) - 0.5);
  switch (coordinates) {
    case "half_pixel":
      return half();
    case "half_pixel_symmetric": {
      // The output as long as the scale makes it, centred over the input.
      const offset = f(f(input / 2) * f(1 - f(output / f(s * input))));
      return f(offset + half());
    }
    case "pytorch_half_pixel":
      return output > 1 ? half() : 0;
    case "align_corners":
      return output > 1 ? f(f(i * (input - 1)) / f(lengthOf(input, output, s) - 1)) : 0;
    case "tf_half_pixel_for_nn":
      return f((i + 0.5) / s);
    default:
      return f(i / s);
  }
}

/** Extent of the output before it was cut to whole elements, which is what ONNX aligns: 4 * 0.6 = 2.4, not 2. */
function lengthOf(input: number, output: number, scale: number): number {
  const length = f(input * scale);
  // A scale that was made from whole extents is f32, and does not lead back to them exactly.
  return Math.abs(length - output) < 1e-5 * output ? output : length;
}

function rounded(p: number, rounding: Sampling["rounding"]): number {
  switch (rounding) {
    case "floor":
      return Math.floor(p);
    case "ceil":
      return Math.ceil(p);
    case "round_prefer_floor":
      return Math.ceil(p - 0.5);
    case "round_prefer_ceil":
      return Math.floor(p + 0.5);
  }
}

/** Weights of the inputs floor(p) - 1 ... floor(p) + 2 at distance t = p - floor(p): cubic convolution (Keys, 1981). */
function cubicWeights(t: number, a: number): number[] {
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** For each output of an axis its inputs and weights: one for nearest, two for linear, four for cubic. */
export function resizeMap(input: number, output: number, scale: number | null, s: Sampling): AxisMap {
  const inside = (k: number): number => Math.min(Math.max(k, 0), input - 1);
  return Array.from({ length: output }, (_, i): Tap[] => {
    const p = position(i, input, output, scale, s.coordinates);
    if (s.mode === "nearest") return [{ from: inside(rounded(p, s.rounding)), weight: 1 }];
    const first = Math.floor(p);
    const t = p - first;
    const cubic = s.mode === "cubic";
    const weights = cubic ? cubicWeights(t, s.cubicCoefficient) : [1 - t, t];
    const taps = weights.map((weight, k) => ({ at: first + k - (cubic ? 1 : 0), weight }));
    const counts = (at: number): boolean => !s.excludeOutside || (at >= 0 && at < input);
    const total = s.excludeOutside ? taps.reduce((sum, { at, weight }) => sum + (counts(at) ? weight : 0), 0) : 1;
    return taps.map(({ at, weight }) => ({ from: inside(at), weight: counts(at) ? f(weight / total) : 0 }));
  });
}
