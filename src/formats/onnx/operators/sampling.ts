/** Reading an image at places that are computed. */
import { IdapError } from "../../../model/errors.js";
import { tableSize } from "../../shared/check.js";
import { refuseComputedShape, type Converter } from "../op.js";
import { Pieces } from "./pieces.js";

type Padding = "zeros" | "border" | "reflection";

/** A neighbour along one axis: its place inside the image, its weight, and where it is inside at all (null: everywhere). */
interface Tap {
  readonly place: string;
  readonly weight: string | null;
  readonly inside: string | null;
}

/** Places from -1 to 1 as pixels of an axis: the ends are the outermost pixels, or their outer edges. */
function pixelsOf(p: Pieces, x: string, extent: number, corners: boolean): string {
  const shifted = p.do("add", [x, 1]);
  if (corners) return p.do("mul", [p.do("mul", [shifted, 0.5]), extent - 1]);
  return p.do("mul", [p.do("sub", [p.do("mul", [shifted, extent]), 1]), 0.5]);
}

/** Back and forth between the ends. */
function reflected(p: Pieces, x: string, low: number, high: number): string {
  const range = high - low;
  if (range === 0) return p.do("mul", [x, 0]);
  const along = p.do("floor_mod", [p.do("sub", [x, low]), 2 * range]);
  return p.do("add", [p.do("min", [along, p.do("sub", [2 * range, along])]), low]);
}

/** Weights of the four neighbours of a place by cubic convolution (Keys 1981) with a = -0.75; `t` behind the second. */
function cubicWeights(p: Pieces, t: string): string[] {
  const a = -0.75;
  const horner = (x: string, [c3, c2, c1, c0]: readonly [number, number, number, number]): string => {
    const first = p.do("add", [p.do("mul", [x, c3]), c2]);
    return p.do("add", [p.do("mul", [p.do("add", [p.do("mul", [first, x]), c1]), x]), c0]);
  };
  const near = (x: string): string => horner(x, [a + 2, -(a + 3), 0, 1]);
  const far = (x: string): string => horner(x, [a, -5 * a, 8 * a, -4 * a]);
  const back = p.do("sub", [1, t]);
  return [far(p.do("add", [t, 1])), near(t), near(back), far(p.do("add", [back, 1]))];
}

function tapsOf(p: Pieces, x: string, extent: number, mode: string, padding: Padding, corners: boolean): Tap[] {
  const [low, high] = corners ? [0, extent - 1] : [-0.5, extent - 0.5];
  let at = pixelsOf(p, x, extent, corners);
  if (mode === "nearest") at = p.do("round", [at]);
  if (padding !== "zeros") {
    const outside = p.do("logical_or", [p.do("less", [at, low]), p.do("greater", [at, high])]);
    const moved =
      padding === "border" ? p.op.step("ends", "clip", [at], { min: 0, max: extent - 1 }) : reflected(p, at, low, high);
    at = p.do("select", [outside, moved, at]);
  }
  const tap = (place: string, weight: string | null): Tap => {
    const inside =
      padding === "zeros"
        ? p.do("logical_and", [p.do("greater_equal", [place, 0]), p.do("less_equal", [place, extent - 1])])
        : null;
    const folded = padding === "reflection" ? reflected(p, place, low, high) : place;
    const index = p.op.step("inside", "clip", [folded], { min: 0, max: extent - 1 });
    return { place: p.do("cast", [index], { to: "i32" }), weight, inside };
  };
  if (mode === "nearest") return [tap(at, null)];
  const first = p.do("floor", [at]);
  const t = p.do("sub", [at, first]);
  if (mode === "linear") return [tap(first, p.do("sub", [1, t])), tap(p.do("add", [first, 1]), t)];
  return cubicWeights(p, t).map((w, i) => tap(i === 1 ? first : p.do("add", [first, i - 1]), w));
}

const MODES: Readonly<Record<string, string>> = {
  nearest: "nearest",
  linear: "linear",
  bilinear: "linear",
  cubic: "cubic",
  bicubic: "cubic",
};

/** More neighbours than these are not read one after the other. */
const MOST_TAPS = 64;

/** x [n, c, ...] at the places grid [n, ..., axes], whose last axis names columns first. */
export const GridSample: Converter = {
  refuse(op) {
    const mode = op.string("mode", "linear");
    if (!Object.hasOwn(MODES, mode)) return `mode ${mode}`;
    const padding = op.string("padding_mode", "zeros");
    return ["zeros", "border", "reflection"].includes(padding) ? null : `padding_mode ${padding}`;
  },
  convert(op) {
    const p = new Pieces(op);
    const [n, c, ...size] = op.type(0).shape as [number, number, ...number[]];
    const grid = op.input(1);
    const to = p.shape(grid).slice(1, -1);
    const pixels = to.reduce((a, b) => a * b, 1);
    if ([op.type(0), op.type(1)].some((t) => t.batchAxis !== null)) {
      throw new IdapError("E_BATCH", `${op.where} picks from all samples of the batch`);
    }
    const mode = MODES[op.string("mode", "linear")]!;
    const corners = op.int("align_corners", 0) !== 0;
    const padding = op.string("padding_mode", "zeros") as Padding;
    const places = p.reshape(grid, [n, pixels, size.length]);
    const axes = size.map((extent, axis) => {
      const own = p.reshape(p.part(places, 2, size.length - 1 - axis, 1), [n, pixels]);
      return tapsOf(p, own, extent, mode, padding, corners);
    });
    if (axes.reduce((count, taps) => count * taps.length, 1) > MOST_TAPS) throw op.unsupported(`mode ${mode} here`);
    const volume = size.reduce((a, b) => a * b, 1);
    const last = p.transpose(p.reshape(op.input(0), [n, c, volume]), [0, 2, 1]);
    const rows = p.reshape(last, [n * volume, c]);
    const image = p.range(n, 1, (i) => i * volume);
    const corner = (axis: number, place: string, weight: string | null, inside: string | null): string[] => {
      if (axis === size.length) {
        const value = p.do("gather", [rows, p.do("add", [place, image])], { axis: 0 });
        const column = (t: string): string => p.reshape(t, [n, pixels, 1]);
        const weighted = weight === null ? value : p.do("mul", [value, column(weight)]);
        return [inside === null ? weighted : p.do("select", [column(inside), weighted, 0])];
      }
      return axes[axis]!.flatMap((tap) => {
        const at = axis === 0 ? tap.place : p.do("add", [p.do("mul", [place, size[axis]!]), tap.place]);
        return corner(axis + 1, at, both(p, "mul", weight, tap.weight), both(p, "logical_and", inside, tap.inside));
      });
    };
    const sum = corner(0, "", null, null).reduce((a, b) => p.do("add", [a, b]));
    op.give(p.reshape(p.transpose(sum, [0, 2, 1]), [n, c, ...to]));
  },
};

function both(p: Pieces, ir: string, a: string | null, b: string | null): string | null {
  return a === null ? b : b === null ? a : p.do(ir, [a, b]);
}

/** Places of every pixel under a linear map: theta [n, axes, axes + 1] -> [n, ..., axes]. */
export const AffineGrid: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "a size" }),
  convert(op) {
    const p = new Pieces(op);
    const theta = op.input(0);
    const [n, axes] = p.shape(theta) as [number, number];
    const size = op.isComputed(1) ? op.stated()!.slice(1, -1) : op.constantInts(1)!.slice(2);
    const corners = op.int("align_corners", 0) !== 0;
    const count = tableSize(
      size.reduce((a, b) => a * b, axes + 1),
      op.where,
    );
    // A column [x, y, ..., 1] for each pixel.
    const pixels = count / (axes + 1);
    const data = new Float32Array(count).fill(1);
    for (let i = 0; i < pixels; i++) {
      let rest = i;
      for (let axis = axes - 1; axis >= 0; axis--) {
        const d = size[axis]!;
        const at = rest % d;
        rest = Math.floor(rest / d);
        data[(axes - 1 - axis) * pixels + i] = corners ? (d === 1 ? 0 : (2 * at) / (d - 1) - 1) : (2 * at + 1) / d - 1;
      }
    }
    const columns = op.literal("pixels", [axes + 1, pixels], data);
    const y = p.do("matmul", [theta, columns], { transposeA: false, transposeB: false });
    op.give(p.reshape(p.transpose(y, [0, 2, 1]), [n, ...size, axes]));
  },
};
