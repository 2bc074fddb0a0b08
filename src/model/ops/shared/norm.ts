import { IdapError } from "../../errors.js";
import type { VjpContext } from "../../define-op.js";
import { sizeOf, type Shape, type TensorType } from "../../types.js";
import { reshapeTarget } from "./broadcast.js";
import { needFixed, showType } from "./checks.js";

/** Throws unless gamma and beta, where given, have this shape. */
export function needScale(op: string, parameters: readonly TensorType[], shape: Shape): void {
  parameters.forEach((t, i) => {
    if (t.shape.length !== shape.length || t.shape.some((d, axis) => d !== shape[axis])) {
      throw new IdapError("E_SHAPE", `${op}: ${["gamma", "beta"][i]} must be [${shape}], got ${showType(t)}`);
    }
    needFixed(op, i === 0 ? "gamma" : "beta", t);
  });
}

/**
 * Roundings of a normalisation of n elements, relative to |gamma| * (|x - mean| + mean of |x|) / deviation + |beta|.
 * Mean: n - 1 additions, a division. Difference: one. Variance: an error of the mean only counts squared, so two for the
 * rounded differences, one for the square, n - 1 additions, a division, epsilon; the root halves these n + 4 and adds
 * one. Then the reciprocal, two products and the offset.
 */
export function normRoundings(n: number): number {
  return n + 1 + Math.ceil((n + 4) / 2) + 5;
}

/** Statistics of `x` over `axes`, and what the gradients of all normalisations are made of. */
interface Normalised {
  /** (x - mean) / sqrt(variance + epsilon). */
  readonly unit: string;
  /** 1 / sqrt(variance + epsilon), with the axes kept. */
  readonly inverse: string;
}

function normalise(g: VjpContext<unknown>, x: string, axes: readonly number[], epsilon: number): Normalised {
  const one = (op: string, inputs: readonly string[], attrs = {}): string => g.emit(op, inputs, attrs)[0]!;
  const mean = (t: string): string => one("reduce_mean", [t], { axes, keepDims: true });
  const scalar = (v: number): string => g.constant([], Float32Array.of(v));
  const centred = one("add", [x, one("mul", [mean(x), scalar(-1)])]);
  const variance = mean(one("mul", [centred, centred]));
  const inverse = one("rsqrt", [one("add", [variance, scalar(epsilon)])]);
  return { unit: one("mul", [centred, inverse]), inverse };
}

/**
 * Gradients of y = gamma * unit(x) + beta with statistics over `axes` of `view`, the shape in which they are plain axes:
 * dx = inverse * (d - mean(d) - unit * mean(d * unit)) with d = gamma * dy.
 * @param scaleAxes axes over which gamma and beta repeat, in the shape of x
 */
export function normGradients(
  g: VjpContext<unknown>,
  view: TensorType,
  axes: readonly number[],
  scaleAxes: readonly number[],
  epsilon: number,
): (string | null)[] {
  const dy = g.gradOutputs[0];
  if (!dy) return g.inputs.map(() => null);
  const one = (op: string, inputs: readonly string[], attrs = {}): string => g.emit(op, inputs, attrs)[0]!;
  const [xType] = g.inputTypes as [TensorType];
  const same = sizeOf(view.shape) === sizeOf(xType.shape) && view.shape.length === xType.shape.length;
  const seen = (t: string): string => (same ? t : one("reshape", [t], { shape: reshapeTarget(view) }));
  const back = (t: string): string => (same ? t : one("reshape", [t], { shape: reshapeTarget(xType) }));
  const [x, gamma] = g.inputs as [string, string?];
  const { unit, inverse } = normalise(g, seen(x), axes, epsilon);
  const sum = (t: string): string =>
    scaleAxes.length === 0 ? t : one("reduce_sum", [t], { axes: scaleAxes, keepDims: false });
  let dx: string | null = null;
  if (g.wanted[0]) {
    const d = seen(gamma === undefined ? dy : one("mul", [dy, gamma]));
    const mean = (t: string): string => one("reduce_mean", [t], { axes, keepDims: true });
    const drop = one("add", [mean(d), one("mul", [unit, mean(one("mul", [d, unit]))])]);
    const rest = one("add", [d, one("mul", [drop, g.constant([], Float32Array.of(-1))])]);
    dx = back(one("mul", [rest, inverse]));
  }
  const dgamma = g.wanted[1] ? sum(one("mul", [dy, back(unit)])) : null;
  const dbeta = g.wanted[2] ? sum(dy) : null;
  return [dx, dgamma, dbeta].slice(0, g.inputs.length);
}

/** y = gamma * (x - mean) / sqrt(variance + epsilon) + beta over one run of elements that `at` numbers. */
export function normaliseRun(
  x: Float64Array,
  y: Float64Array,
  places: readonly number[],
  epsilon: number,
  gamma: (i: number) => number,
  beta: (i: number) => number,
): void {
  const n = places.length;
  let mean = 0;
  for (const p of places) mean += x[p]!;
  mean /= n;
  let variance = 0;
  for (const p of places) variance += (x[p]! - mean) ** 2;
  const inverse = 1 / Math.sqrt(variance / n + epsilon);
  places.forEach((p, i) => (y[p] = gamma(i) * (x[p]! - mean) * inverse + beta(i)));
}
