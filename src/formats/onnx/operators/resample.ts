/**
 * Resizing as a product with a matrix for each axis, whose weights are steps of the graph: for what the operator `resize`
 * has no form of (antialiasing, crops), and for scales that are computed when the model runs.
 */
import { IdapError } from "../../../model/errors.js";
import { tableSize } from "../../shared/check.js";
import type { OnnxOp } from "../op.js";
import { Pieces, type Piece } from "./pieces.js";

export interface Resampling {
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
  /** What lies outside the operand, for crops. */
  readonly extrapolation: number;
}

/** One axis: from `from` to `to` elements; the crop as shares of the operand. */
export interface Axis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  /** A number, or a tensor [1]. */
  readonly scale: Piece;
  readonly crop: readonly [begin: Piece, end: Piece] | null;
}

/** Sums and products of pieces; numbers among themselves are computed at once. */
class Sums {
  constructor(private readonly p: Pieces) {}

  do(ir: "add" | "sub" | "mul" | "div", a: Piece, b: Piece): Piece {
    if (typeof a !== "number" || typeof b !== "number") return this.p.do(ir, [a, b]);
    return ir === "add" ? a + b : ir === "sub" ? a - b : ir === "mul" ? a * b : a / b;
  }

  /** `then` where a is 1, else `otherwise`. */
  ifOne(a: Piece, then: Piece, otherwise: Piece): Piece {
    if (typeof a === "number") return a === 1 ? then : otherwise;
    const text = (x: Piece): string => (typeof x === "number" ? this.p.op.scalar("choice", x) : x);
    return this.p.do("select", [this.p.do("equal", [a, 1]), text(then), text(otherwise)]);
  }
}

/** Place in the operand of each element of the result, [to, 1]. */
function placesOf(p: Pieces, { from, to, scale, crop }: Axis, { coordinates }: Resampling): string {
  const s = new Sums(p);
  const y = p.op.literal(
    "places",
    [to, 1],
    Float32Array.from({ length: to }, (_, i) => i),
  );
  const middle = p.op.literal(
    "middles",
    [to, 1],
    Float32Array.from({ length: to }, (_, i) => i + 0.5),
  );
  const whole = s.do("mul", scale, from);
  const halfPixel = (): Piece => s.do("sub", s.do("div", middle, scale), 0.5);
  const spread = (extent: Piece): Piece => s.do("div", s.do("mul", y, extent), s.do("sub", whole, 1));
  let x: Piece;
  switch (coordinates) {
    case "align_corners":
      x = s.ifOne(whole, p.do("mul", [y, 0]), spread(from - 1));
      break;
    case "asymmetric":
      x = s.do("div", y, scale);
      break;
    case "pytorch_half_pixel":
      x = s.ifOne(whole, p.do("sub", [p.do("mul", [y, 0]), 0.5]), halfPixel());
      break;
    case "half_pixel_symmetric":
      x = s.do("add", halfPixel(), s.do("mul", s.do("sub", 1, s.do("div", to, whole)), from / 2));
      break;
    case "tf_half_pixel_for_nn":
      x = s.do("div", middle, scale);
      break;
    case "tf_crop_and_resize": {
      const [begin, end] = crop!;
      const extent = s.do("mul", s.do("sub", end, begin), from - 1);
      const one = s.do("add", p.do("mul", [y, 0]), s.do("mul", extent, 0.5));
      x = s.do("add", s.ifOne(whole, one, spread(extent)), s.do("mul", begin, from - 1));
      break;
    }
    default:
      x = halfPixel();
  }
  return x as string;
}

/** a polynomial of x, highest power first. */
function polynomial(p: Pieces, x: string, [first, ...rest]: readonly [number, ...number[]]): string {
  const [next, ...others] = rest as [number, ...number[]];
  const start = p.do("add", [p.do("mul", [x, first]), next]);
  return others.reduce((sum, c) => p.do("add", [p.do("mul", [sum, x]), c]), start);
}

/** The weight of an element at the distance `x` (not negative): a triangle, or cubic convolution (Keys 1981). */
function kernel(p: Pieces, x: string, mode: string, a: number): string {
  if (mode === "linear") return p.do("max", [p.do("sub", [1, x]), 0]);
  const near = polynomial(p, x, [a + 2, -(a + 3), 0, 1]);
  const far = polynomial(p, x, [a, -5 * a, 8 * a, -4 * a]);
  const outer = p.do("select", [p.do("less", [x, 2]), far, 0]);
  return p.do("select", [p.do("less_equal", [x, 1]), near, outer]);
}

function normalised(p: Pieces, weights: string): string {
  return p.do("div", [weights, p.do("reduce_sum", [weights], { axes: [1], keepDims: true })]);
}

/** Weights [to, from] of the operand's elements in each of the result's. */
function matrixOf(p: Pieces, axis: Axis, places: string, r: Resampling): string {
  const { from, to, scale } = axis;
  const elements = (before: number, count: number): string =>
    p.op.literal(
      "elements",
      [count],
      Float32Array.from({ length: count }, (_, i) => i - before),
    );
  if (r.mode === "nearest") {
    const rounded: Readonly<Record<string, () => string>> = {
      floor: () => p.do("floor", [places]),
      ceil: () => p.do("ceil", [places]),
      round_prefer_ceil: () => p.do("floor", [p.do("add", [places, 0.5])]),
    };
    const index = rounded[r.rounding]?.() ?? p.do("ceil", [p.do("sub", [places, 0.5])]);
    const inside = p.op.step("inside", "clip", [index], { min: 0, max: from - 1 });
    return p.do("cast", [p.do("equal", [inside, elements(0, from)])], { to: "f32" });
  }
  const shrunk = (distance: string): string => {
    if (!r.antialias) return distance;
    const by = typeof scale === "number" ? Math.min(scale, 1) : p.do("min", [scale, 1]);
    return p.do("mul", [distance, by]);
  };
  const weigh = (list: string): string => {
    const distance = p.do("abs", [p.do("sub", [places, list])]);
    return kernel(p, shrunk(distance), r.mode, r.cubicCoefficient);
  };
  if (r.excludeOutside) return normalised(p, weigh(elements(0, from)));
  // Outside the operand its ends go on: as far as the kernel reaches from a place inside.
  const reach = Math.ceil((r.antialias ? Math.max(1, from / to) : 1) * 2) + 2;
  const count = tableSize(from + 2 * reach, p.op.where);
  const wide = weigh(elements(reach, count));
  const fold = new Float32Array(tableSize(count * from, p.op.where));
  for (let i = 0; i < count; i++) fold[i * from + Math.min(Math.max(i - reach, 0), from - 1)] = 1;
  const folded = p.do("matmul", [wide, p.op.literal("ends", [count, from], fold)], {
    transposeA: false,
    transposeB: false,
  });
  return r.antialias ? normalised(p, folded) : folded;
}

/** `x` resampled along the axes, one after another. */
export function resample(op: OnnxOp, axes: readonly Axis[], r: Resampling): void {
  const p = new Pieces(op);
  if (op.type(0).batchAxis !== null) throw new IdapError("E_BATCH", `${op.where} may resample the batch`);
  let x = p.float(op.input(0));
  let outside: string | null = null;
  for (const one of axes) {
    const places = placesOf(p, one, r);
    const shape = [...p.shape(x)];
    const { axis, from, to } = one;
    const [outer, inner] = [shape.slice(0, axis), shape.slice(axis + 1)].map((d) => d.reduce((a, b) => a * b, 1));
    const rows = p.reshape(x, [outer!, from, inner!]);
    const product = p.do("matmul", [matrixOf(p, one, places, r), rows], { transposeA: false, transposeB: false });
    shape[axis] = to;
    x = p.reshape(product, shape);
    if (r.coordinates !== "tf_crop_and_resize") continue;
    const beyond = p.do("logical_or", [p.do("less", [places, 0]), p.do("greater", [places, from - 1])]);
    const along = p.reshape(beyond, [to, ...shape.slice(axis + 1).map(() => 1)]);
    outside = outside === null ? along : p.do("logical_or", [outside, along]);
  }
  if (outside !== null) x = p.do("select", [outside, r.extrapolation, x]);
  if (op.type(0).dtype === "f32") return op.give(x);
  p.finish("cast", [x], { to: "i32" }, { dtype: op.dtype(0) });
}
