import { IdapError } from "../../../model/errors.js";
import { sizeOf, stridesOf } from "../../../model/types.js";
import { axisOf, tableSize } from "../../shared/check.js";
import { oneHot } from "../../shared/decompose/arithmetic.js";
import { refuseComputedShape, type Converter, type OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";

/** Indices count from the end where they are negative, which the IR's operator does too. */
export const Gather: Converter = {
  convert(op) {
    const axis = axisOf(op.int("axis", 0), op.type(0).shape.length, op.where);
    op.emit("gather", [op.input(0), op.input(1)], { axis }, { dtype: op.dtype(0) });
  },
};

/** A tensor as one axis; the batch cannot be told from the rest then. */
function flat(op: OnnxOp, x: string): string {
  const { shape, batchAxis } = op.typeOf(x);
  if (batchAxis !== null) throw new IdapError("E_BATCH", `${op.where} picks from all samples of the batch`);
  return shape.length === 1 ? x : op.step("flat", "reshape", [x], { shape: [sizeOf(shape)] });
}

/** Elements of `x` at constant places of its row-major order, as a tensor of `shape`. */
function pick(op: OnnxOp, x: string, places: Int32Array, shape: readonly number[]): void {
  op.emit("gather", [flat(op, x), op.literal("places", shape, places)], { axis: 0 }, { dtype: op.dtype(0) });
}

/** Indices that may count from the end of an extent, as ones that do not. */
function fromStart(op: OnnxOp, indices: string, extent: number | string): string {
  const end = typeof extent === "number" ? op.scalar("extent", extent, "i32") : extent;
  const negative = op.step("negative", "less", [indices, op.scalar("zero", 0, "i32")]);
  return op.step("positive", "select", [negative, op.step("shifted", "add", [indices, end]), indices]);
}

/** Places in row-major order of operand 0 that the indices `i` along `axis` address, in their shape. */
function elementPlaces(op: OnnxOp, i: number, axis: number): string {
  const { shape } = op.type(0);
  const strides = stridesOf(shape);
  const to = op.type(i).shape;
  const base = new Int32Array(tableSize(sizeOf(to), op.where));
  const own = stridesOf(to);
  for (let p = 0; p < base.length; p++) {
    own.forEach((s, k) => k !== axis && (base[p]! += (Math.floor(p / s) % to[k]!) * strides[k]!));
  }
  const along = fromStart(op, op.input(i), shape[axis]!);
  const offset = op.step("offset", "mul", [along, op.scalar("stride", strides[axis]!, "i32")]);
  return op.step("places", "add", [offset, op.literal("base", to, base)]);
}

/** y[i][j] = x[indices[i][j]][j] for axis 0, and so on: a gather from the flat tensor at computed places. */
export const GatherElements: Converter = {
  convert(op) {
    const axis = axisOf(op.int("axis", 0), op.type(0).shape.length, op.where);
    const places = elementPlaces(op, 1, axis);
    op.emit("gather", [flat(op, op.input(0)), places], { axis: 0 }, { dtype: op.dtype(0) });
  },
};

/** The last axis of the indices addresses the axes of x behind the first `batch_dims`. */
export const GatherND: Converter = {
  convert(op) {
    const { shape } = op.type(0);
    const indices = op.type(1).shape;
    const fixed = op.int("batch_dims", 0);
    const depth = indices.at(-1)!;
    const rest = shape.slice(fixed + depth);
    const strides = stridesOf(shape.slice(fixed, fixed + depth));
    const extents = shape.slice(fixed, fixed + depth);
    const vector = (suffix: string, values: readonly number[]): string =>
      op.literal(suffix, [depth], Int32Array.from(values));
    const positive = fromStart(op, op.input(1), vector("extents", extents));
    const offsets = op.step("offsets", "mul", [positive, vector("strides", strides)]);
    const last = indices.length - 1;
    let places = op.step("places", "reduce_sum", [offsets], { axes: [last], keepDims: false });
    if (fixed > 0) {
      const each = sizeOf(extents);
      const count = sizeOf(shape.slice(0, fixed));
      const first = op.literal(
        "first",
        [...shape.slice(0, fixed), ...indices.slice(fixed, last).map(() => 1)],
        Int32Array.from({ length: tableSize(count, op.where) }, (_, i) => i * each),
      );
      places = op.step("all_places", "add", [places, first]);
    }
    if (op.type(0).batchAxis !== null)
      throw new IdapError("E_BATCH", `${op.where} picks from all samples of the batch`);
    const target = [sizeOf(shape.slice(0, fixed + depth)), ...rest];
    const rows = op.step("rows", "reshape", [op.input(0)], { shape: target });
    op.emit("gather", [rows, places], { axis: 0 }, { dtype: op.dtype(0) });
  },
};

/** x with elements replaced at constant places: each result picks from x or from the updates, laid end to end. */
function scatter(op: OnnxOp, places: (visit: (place: number, update: number) => void) => void): void {
  const { shape } = op.type(0);
  const total = tableSize(sizeOf(shape), op.where);
  const source = Int32Array.from({ length: total }, (_, i) => i);
  places((place, update) => {
    if (!(place >= 0 && place < total)) throw op.malformed("writes outside its operand");
    source[place] = total + update;
  });
  const both = op.step("both", "concat", [flat(op, op.input(0)), flat(op, op.input(2))], { axis: 0 });
  op.emit("gather", [both, op.literal("places", shape, source)], { axis: 0 }, { dtype: op.dtype(0) });
}

const REDUCTIONS: Readonly<Record<string, { ir: string; fold: string; neutral: readonly [f32: number, i32: number] }>> =
  {
    add: { ir: "add", fold: "reduce_sum", neutral: [0, 0] },
    mul: { ir: "mul", fold: "reduce_prod", neutral: [1, 1] },
    max: { ir: "max", fold: "reduce_max", neutral: [-Infinity, -(2 ** 31)] },
    min: { ir: "min", fold: "reduce_min", neutral: [Infinity, 2 ** 31 - 1] },
  };

function refuseScatter(op: OnnxOp): string | null {
  const reduction = op.string("reduction", "none");
  return reduction === "none" || Object.hasOwn(REDUCTIONS, reduction) ? null : `reduction ${reduction}`;
}

/** Every place is compared with every index where these are computed: this many at most. */
const MOST_COMPARISONS = 2 ** 22;

/**
 * Rows x [r, n] with the rows `updates` [u, n] written to the places [u], or joined with what is there. For each place it
 * is looked which updates go there; of several the last counts.
 */
function scatterRows(op: OnnxOp, x: string, places: string, updates: string): void {
  const p = new Pieces(op);
  const [rows, width] = p.shape(x) as [number, number];
  const count = p.shape(updates)[0]!;
  const reduction = REDUCTIONS[op.string("reduction", "none")];
  if (rows * count * (reduction ? width : 1) > MOST_COMPARISONS) {
    throw op.unsupported(`${count} updates of ${rows} places that are computed at run time`);
  }
  const hits = p.do("equal", [p.range(rows, 1), p.reshape(places, [1, count])]);
  const dtype = op.dtype(0);
  const shape = [...op.type(0).shape];
  if (!reduction) {
    const last = p.do("reduce_max", [p.do("select", [hits, p.range(count, 0), -1])], { axes: [1], keepDims: false });
    const picked = p.do("gather", [updates, p.do("max", [last, 0])], { axis: 0 });
    const written = p.do("reshape", [p.do("greater_equal", [last, 0])], { shape: [rows, 1] });
    return p.finish("reshape", [p.do("select", [written, picked, x])], { shape }, { dtype });
  }
  const { ir, fold, neutral } = reduction;
  const none = op.typeOf(x).dtype === "f32" ? op.scalar("none", neutral[0]) : op.scalar("none", neutral[1], "i32");
  const apart = p.do("select", [p.reshape(hits, [rows, count, 1]), updates, none]);
  const joined = p.do(ir, [x, p.do(fold, [apart], { axes: [1], keepDims: false })]);
  p.finish("reshape", [joined], { shape }, { dtype });
}

/** As columns of one element or rows of `width`; the batch cannot be told from the rest then. */
function asRows(op: OnnxOp, x: string, width: number): string {
  const { shape } = op.typeOf(x);
  return op.step("rows", "reshape", [flat(op, x)], { shape: [sizeOf(shape) / width, width] });
}

function isScatterOfConstants(op: OnnxOp): boolean {
  return op.string("reduction", "none") === "none" && !op.isComputed(1);
}

export const ScatterElements: Converter = {
  refuse: refuseScatter,
  convert(op) {
    const { shape } = op.type(0);
    const axis = axisOf(op.int("axis", 0), shape.length, op.where);
    const strides = stridesOf(shape);
    const from = op.type(1).shape;
    const own = stridesOf(from);
    if (!isScatterOfConstants(op)) {
      const places = op.step("places", "reshape", [elementPlaces(op, 1, axis)], { shape: [sizeOf(from)] });
      return scatterRows(op, asRows(op, op.input(0), 1), places, asRows(op, op.input(2), 1));
    }
    const indices = op.constantInts(1)!;
    scatter(op, (visit) =>
      indices.forEach((index, p) => {
        let place = 0;
        own.forEach((s, k) => {
          const at = k === axis ? axisOf(index, shape[axis]!, op.where) : Math.floor(p / s) % from[k]!;
          place += at * strides[k]!;
        });
        visit(place, p);
      }),
    );
  },
};

export const ScatterND: Converter = {
  refuse: refuseScatter,
  convert(op) {
    const { shape } = op.type(0);
    const depth = op.type(1).shape.at(-1)!;
    const strides = stridesOf(shape);
    const run = sizeOf(shape.slice(depth));
    if (!isScatterOfConstants(op)) {
      const extents = shape.slice(0, depth);
      const vector = (suffix: string, values: readonly number[]): string =>
        op.literal(suffix, [depth], Int32Array.from(values));
      const positive = fromStart(op, op.input(1), vector("extents", extents));
      const offsets = op.step("offsets", "mul", [positive, vector("strides", stridesOf(extents))]);
      const rank = op.type(1).shape.length;
      const places = op.step("places", "reduce_sum", [offsets], { axes: [rank - 1], keepDims: false });
      const list = op.step("list", "reshape", [places], { shape: [sizeOf(op.type(1).shape) / depth] });
      return scatterRows(op, asRows(op, op.input(0), run), list, asRows(op, op.input(2), run));
    }
    const indices = op.constantInts(1)!;
    scatter(op, (visit) => {
      for (let u = 0; u * depth < indices.length; u++) {
        let place = 0;
        for (let k = 0; k < depth; k++) place += axisOf(indices[u * depth + k]!, shape[k]!, op.where) * strides[k]!;
        for (let i = 0; i < run; i++) visit(place + i, u * run + i);
      }
    });
  },
};

/** The indices along an axis (or of the flat tensor) where the constant condition holds. */
export const Compress: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "a condition" }),
  convert(op) {
    if (op.isComputed(1)) return compressByOperand(op);
    const { shape } = op.type(0);
    const axis = op.hasAttribute("axis") ? axisOf(op.int("axis", 0), shape.length, op.where) : null;
    const extent = axis === null ? sizeOf(shape) : shape[axis]!;
    const kept = op.constantInts(1)!.flatMap((c, i) => (c !== 0 && i < extent ? [i] : []));
    if (kept.length === 0) throw op.unsupported("it keeps nothing");
    const places = op.literal("kept", [kept.length], Int32Array.from(kept));
    const x = axis === null ? flat(op, op.input(0)) : op.input(0);
    op.emit("gather", [x, places], { axis: axis ?? 0 }, { dtype: op.dtype(0) });
  },
};

/** The file states how many are kept: result j is the place before which j others are kept. */
function compressByOperand(op: OnnxOp): void {
  const p = new Pieces(op);
  const { shape } = op.type(0);
  const axis = op.hasAttribute("axis") ? axisOf(op.int("axis", 0), shape.length, op.where) : null;
  const kept = p.do("cast", [op.input(1)], { to: "i32" });
  const extent = p.shape(kept)[0]!;
  const count = op.stated()![axis ?? 0]!;
  tableSize(count * extent, op.where);
  const before = p.do("cumsum", [kept], { axis: 0, exclusive: true, reverse: false });
  const hits = p.do("logical_and", [p.do("equal", [p.range(count, 1), before]), p.do("cast", [kept], { to: "bool" })]);
  const places = p.do("reduce_sum", [p.do("mul", [p.do("cast", [hits], { to: "i32" }), p.range(extent, 0)])], {
    axes: [1],
    keepDims: false,
  });
  const x = axis === null ? flat(op, op.input(0)) : op.input(0);
  op.emit("gather", [x, places], { axis: axis ?? 0 }, { dtype: op.dtype(0) });
}

/** Turns the first `sequence_lens[b]` moments of each sample round. */
export const ReverseSequence: Converter = {
  convert(op) {
    const { shape } = op.type(0);
    const [time, batch] = [op.int("time_axis", 0), op.int("batch_axis", 1)];
    if (op.isComputed(1)) return reverseByOperand(op, time, batch);
    const lengths = op.constantInts(1)!;
    const strides = stridesOf(shape);
    const places = Int32Array.from({ length: tableSize(sizeOf(shape), op.where) }, (_, p) => {
      const at = (axis: number): number => Math.floor(p / strides[axis]!) % shape[axis]!;
      const [t, n] = [at(time), lengths[at(batch)]!];
      return t < n ? p + (n - 1 - 2 * t) * strides[time]! : p;
    });
    pick(op, op.input(0), places, shape);
  },
};

/** x [time, batch] or [batch, time] with anything behind: its rows in the order that the lengths ask for. */
function reverseByOperand(op: OnnxOp, time: number, batch: number): void {
  const p = new Pieces(op);
  const { shape } = op.type(0);
  const [steps, samples] = [shape[time]!, shape[batch]!];
  const lengths = p.do("reshape", [op.input(1)], { shape: batch === 0 ? [samples, 1] : [1, samples] });
  const moments = p.range(steps, time === 0 ? 1 : 0);
  const turned = p.do("sub", [p.do("sub", [lengths, 1]), moments]);
  const source = p.do("select", [p.do("less", [moments, lengths]), turned, moments]);
  const row = p.do("mul", [source, time === 0 ? samples : 1]);
  const places = p.do("add", [row, p.range(samples, batch === 0 ? 1 : 0, (i) => (batch === 0 ? i * steps : i))]);
  if (op.type(0).batchAxis !== null) throw new IdapError("E_BATCH", `${op.where} picks from all samples of the batch`);
  const rows = op.step("rows", "reshape", [op.input(0)], { shape: [steps * samples, ...shape.slice(2)] });
  op.emit("gather", [rows, places], { axis: 0 }, { dtype: op.dtype(0) });
}

/** A new axis which is values[1] where its index is that of the operand, values[0] elsewhere. */
export const OneHot: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "a depth" }),
  convert(op) {
    const rank = op.type(0).shape.length + 1;
    const axis = axisOf(op.int("axis", -1), rank, op.where);
    const depth = tableSize(op.isComputed(1) ? op.stated()![axis]! : op.scalarOf(1)!, op.where);
    const values = op.input(2);
    const value = (i: number): string => op.step(i === 0 ? "off" : "on", "slice", [values], { begin: [i], size: [1] });
    const y = oneHot(op.emitter, op.input(0), {
      depth,
      axis,
      on: value(1),
      off: value(0),
      negative: true,
    });
    op.give(y, { dtype: op.dtype(2) });
  },
};

/** Keeps what is on one side of a diagonal of the last two axes. */
export const Trilu: Converter = {
  convert(op) {
    const { shape, dtype } = op.type(0);
    const [rows, columns] = shape.slice(-2) as [number, number];
    if (op.isComputed(1)) return trianglesByOperand(op, rows, columns);
    const k = op.scalarOf(1) ?? 0;
    const upper = op.int("upper", 1) !== 0;
    const kept = Uint8Array.from({ length: tableSize(rows * columns, op.where) }, (_, p) => {
      const distance = (p % columns) - Math.floor(p / columns);
      return Number(upper ? distance >= k : distance <= k);
    });
    const mask = op.literal("mask", [rows, columns], kept);
    op.emit("select", [mask, op.input(0), op.scalar("zero", 0, dtype)], {}, { dtype: op.dtype(0) });
  },
};

function trianglesByOperand(op: OnnxOp, rows: number, columns: number): void {
  const p = new Pieces(op);
  const distance = Int32Array.from(
    { length: tableSize(rows * columns, op.where) },
    (_, i) => (i % columns) - Math.floor(i / columns),
  );
  const kept = p.do(op.int("upper", 1) !== 0 ? "greater_equal" : "less_equal", [
    op.literal("distance", [rows, columns], distance),
    op.input(1),
  ]);
  p.finish("select", [kept, op.input(0), 0], {}, { dtype: op.dtype(0) });
}
