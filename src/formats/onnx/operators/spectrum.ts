/** Fourier transforms as products with the matrices of their cosines and sines. */
import { axisOf, tableSize } from "../../shared/check.js";
import { refuseComputed, type Converter, type OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";

/** The series of cosine (sign 1) or sine at |x| <= pi / 4, within a rounding of f64: the engine's own differs by engine. */
function series(x: number, first: number): number {
  let [term, sum] = [first === 0 ? 1 : x, 0];
  for (let k = first; k < 24; k += 2) {
    sum += term;
    term *= -(x * x) / ((k + 1) * (k + 2));
  }
  return sum;
}

/** cos(2 pi n / period) for whole numbers: by the eighth of the circle that it lies in. */
export function cosineOf(n: number, period: number): number {
  const turn = ((n % period) + period) % period;
  const eighths = (8 * Math.min(turn, period - turn)) / period;
  const angle = (eighths * Math.PI) / 4;
  if (eighths <= 1) return series(angle, 0);
  if (eighths <= 3) return -series(angle - Math.PI / 2, 1);
  return -series(Math.PI - angle, 0);
}

interface Transform {
  readonly length: number;
  readonly bins: number;
  readonly inverse: boolean;
}

/** The transform of x [..., n, ..., 1 or 2] along an axis, [..., bins, ..., 2]. */
function transformed(p: Pieces, x: string, axis: number, { length, bins, inverse }: Transform): string {
  const { op } = p;
  const own = p.shape(x)[axis]!;
  const used = Math.min(own, length);
  tableSize(used * bins, op.where);
  // Axis last, behind real and imaginary parts: [..., parts, n].
  const rank = p.shape(x).length;
  const order = [...p.shape(x).map((_, i) => i).filter((i) => i !== axis), axis]; // prettier-ignore
  const cut = used < own ? p.part(x, axis, 0, used) : x;
  const rows = p.transpose(cut, order);
  const matrix = (shift: number): string => {
    const data = new Float32Array(used * bins);
    // sin a = cos(a - a quarter of a turn); four times the period keeps the quarter whole.
    for (let n = 0; n < used; n++) {
      for (let k = 0; k < bins; k++) {
        data[n * bins + k] = cosineOf(4 * ((n * k) % length) - shift * length, 4 * length) / (inverse ? length : 1);
      }
    }
    return op.literal(shift === 0 ? "cosines" : "sines", [used, bins], data);
  };
  const product = (part: string, m: string): string =>
    p.do("matmul", [part, m], { transposeA: false, transposeB: false });
  const [cos, sin] = [matrix(0), matrix(1)];
  const parts = p.shape(x).at(-1)!;
  const real = p.part(rows, rank - 2, 0, 1);
  const sign = inverse ? "add" : "sub";
  const other = inverse ? "sub" : "add";
  let [re, im] = [product(real, cos), product(real, sin)];
  if (parts === 2) {
    const imaginary = p.part(rows, rank - 2, 1, 1);
    re = p.do(other, [re, product(imaginary, sin)]);
    im = p.do(sign, [product(imaginary, cos), im]);
  } else if (!inverse) im = p.do("neg", [im]);
  const both = p.do("concat", [re, im], { axis: rank - 2 });
  return p.transpose(
    both,
    order.map((_, i) => order.indexOf(i)),
  );
}

/** Along one axis of signals that end in their real parts, or real and imaginary ones. */
export const DFT: Converter = {
  refuse(op) {
    if (op.int("onesided", 0) !== 0 && op.int("inverse", 0) !== 0) return "onesided and inverse";
    return refuseComputed(op, { 1: "a length" });
  },
  convert(op) {
    const p = new Pieces(op);
    const x = op.input(0);
    const shape = p.shape(x);
    const rank = shape.length;
    const inverse = op.int("inverse", 0) !== 0;
    const along = (axis: number): string => {
      const length = op.scalarOf(1) ?? shape[axis]!;
      const bins = op.int("onesided", 0) !== 0 ? Math.floor(length / 2) + 1 : length;
      return transformed(p, x, axis, { length, bins, inverse });
    };
    if (!op.isComputed(2)) {
      const axis = op.has(2) ? op.scalarOf(2)! : op.int("axis", op.opset < 20 ? 1 : -2);
      return op.give(along(axisOf(axis, rank, op.where)));
    }
    // An axis that is computed chooses among those that give the shape of the first.
    const results = Array.from({ length: rank - 2 }, (_, i) => ({ axis: i + 1, y: along(i + 1) }));
    const to = (op.stated() ?? p.shape(results[0]!.y)).join();
    const fitting = results.filter(({ y }) => p.shape(y).join() === to);
    if (fitting.length === 0 || (op.stated() === null && fitting.length < results.length)) {
      throw op.unsupported("an axis computed at run time");
    }
    const wanted = p.do("reshape", [p.do("floor_mod", [op.input(2), rank])], { shape: [] });
    op.give(
      fitting
        .map(({ y }) => y)
        .reduce((others, y, i) => p.do("select", [p.do("equal", [wanted, fitting[i]!.axis]), y, others])),
    );
  },
};

/** Transforms of frames [batch, frames, bins, 2] that begin `frame_step` samples apart, each times a window. */
export const STFT: Converter = {
  refuse(op: OnnxOp) {
    if (op.has(2)) return op.stated() === null ? refuseComputed(op, { 1: "a step" }) : null;
    return refuseComputed(op, op.stated() === null ? { 1: "a step", 3: "a length" } : { 3: "a length" });
  },
  convert(op) {
    const p = new Pieces(op);
    const x = op.input(0);
    const [n, samples, parts] = p.shape(x) as [number, number, number];
    const length = op.has(2) ? op.type(2).shape[0]! : op.scalarOf(3)!;
    const frames = op.isComputed(1) ? op.stated()![1]! : Math.floor((samples - length) / op.scalarOf(1)!) + 1;
    tableSize(frames * length, op.where);
    const step = op.isComputed(1) ? p.reshape(op.input(1), []) : op.scalar("step", op.scalarOf(1)!, "i32");
    const places = p.do("add", [p.do("mul", [p.range(frames, 1), step]), p.range(length, 0)]);
    let rows = p.do("gather", [x, places], { axis: 1 });
    if (op.has(2)) rows = p.do("mul", [rows, p.do("reshape", [op.input(2)], { shape: [length, 1] })]);
    if (p.shape(rows).join() !== [n, frames, length, parts].join()) throw op.malformed("has frames of another shape");
    const bins = op.int("onesided", 1) !== 0 ? Math.floor(length / 2) + 1 : length;
    op.give(transformed(p, rows, 2, { length, bins, inverse: false }));
  },
};
