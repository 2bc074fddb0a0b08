import { IdapError } from "../../../model/errors.js";
import { sizeOf, stridesOf } from "../../../model/types.js";
import { axisOf, tableSize } from "../../shared/check.js";
import { oneHot } from "../../shared/decompose/arithmetic.js";
import { refuseComputed, type Converter, type OnnxOp } from "../op.js";

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

/** y[i][j] = x[indices[i][j]][j] for axis 0, and so on: a gather from the flat tensor at computed places. */
export const GatherElements: Converter = {
  convert(op) {
    const { shape } = op.type(0);
    const axis = axisOf(op.int("axis", 0), shape.length, op.where);
    const strides = stridesOf(shape);
    const to = op.type(1).shape;
    const base = new Int32Array(sizeOf(to));
    const own = stridesOf(to);
    for (let p = 0; p < base.length; p++) {
      own.forEach((s, k) => k !== axis && (base[p]! += (Math.floor(p / s) % to[k]!) * strides[k]!));
    }
    const along = fromStart(op, op.input(1), shape[axis]!);
    const offset = op.step("offset", "mul", [along, op.scalar("stride", strides[axis]!, "i32")]);
    const places = op.step("places", "add", [offset, op.literal("base", to, base)]);
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

function refuseScatter(op: OnnxOp): string | null {
  const reduction = op.string("reduction", "none");
  return reduction === "none" ? refuseComputed(op, { 1: "indices" }) : `reduction ${reduction}`;
}

export const ScatterElements: Converter = {
  refuse: refuseScatter,
  convert(op) {
    const { shape } = op.type(0);
    const axis = axisOf(op.int("axis", 0), shape.length, op.where);
    const strides = stridesOf(shape);
    const from = op.type(1).shape;
    const own = stridesOf(from);
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
  refuse: (op) => refuseComputed(op, { 1: "a condition" }),
  convert(op) {
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

/** Turns the first `sequence_lens[b]` moments of each sample round. */
export const ReverseSequence: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "sequence lengths" }),
  convert(op) {
    const { shape } = op.type(0);
    const [time, batch] = [op.int("time_axis", 0), op.int("batch_axis", 1)];
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

/** A new axis which is values[1] where its index is that of the operand, values[0] elsewhere. */
export const OneHot: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a depth" }),
  convert(op) {
    const depth = tableSize(op.scalarOf(1)!, op.where);
    const rank = op.type(0).shape.length + 1;
    const values = op.input(2);
    const value = (i: number): string => op.step(i === 0 ? "off" : "on", "slice", [values], { begin: [i], size: [1] });
    const y = oneHot(op.emitter, op.input(0), {
      depth,
      axis: axisOf(op.int("axis", -1), rank, op.where),
      on: value(1),
      off: value(0),
      negative: true,
    });
    op.give(y, { dtype: op.dtype(2) });
  },
};

/** Keeps what is on one side of a diagonal of the last two axes. */
export const Trilu: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a diagonal" }),
  convert(op) {
    const { shape, dtype } = op.type(0);
    const [rows, columns] = shape.slice(-2) as [number, number];
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
