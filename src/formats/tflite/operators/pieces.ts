import { IdapError } from "../../../model/errors.js";
import { axisOf } from "../../shared/check.js";
import { reshapeTo } from "../../shared/decompose/emit.js";
import { split, splitEvenly, stack, unstack } from "../../shared/decompose/split.js";
import { activationOf, refuseActivation, refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

const CONCATENATION: Converter = {
  refuse: (op) => refuseActivation(op, F.Concatenation.activation),
  convert(op) {
    const axis = axisOption(op, F.Concatenation.axis, op.type(op.input(0)).shape.length);
    op.result("concat", op.inputs(), { axis }, activationOf(op, F.Concatenation.activation));
  },
};

function axisOption(op: TfliteOp, field: number, rank: number): number {
  return axisOf(
    op.option((o) => o.i32(field), 0),
    rank,
    op.where,
  );
}

const PACK: Converter = {
  convert(op) {
    const inputs = op.inputs();
    if (inputs.length === 0) throw new IdapError("E_FORMAT", `${op.where} has no operands`);
    op.bind(stack(op, inputs, axisOption(op, F.Pack.axis, op.type(inputs[0]!).shape.length + 1)));
  },
};

/** Outputs that are too many are damage; those that nobody reads go with the dead nodes. */
function bindAll(op: TfliteOp, parts: readonly string[]): void {
  if (parts.length !== op.outputCount) {
    throw new IdapError("E_FORMAT", `${op.where} has ${op.outputCount} outputs for ${parts.length} parts`);
  }
  parts.forEach((part, i) => op.bind(part, i));
}

const UNPACK: Converter = {
  convert(op) {
    const x = op.input(0);
    const { shape } = op.type(x);
    const axis = axisOption(op, F.Unpack.axis, shape.length);
    if (shape[axis] !== op.outputCount) {
      throw new IdapError("E_FORMAT", `${op.where}: axis ${axis} of [${shape}] gives no ${op.outputCount} outputs`);
    }
    bindAll(op, unstack(op, x, axis));
  },
};

/** axis, x; as many equal parts as outputs. */
const SPLIT: Converter = {
  refuse: (op) => refuseComputed(op, { 0: "an axis" }),
  convert(op) {
    const x = op.input(1);
    const axis = axisOf(op.ints(0)[0] ?? 0, op.type(x).shape.length, op.where);
    bindAll(op, splitEvenly(op, x, axis, op.outputCount));
  },
};

/** x, sizes (one may be -1: the rest), axis. */
const SPLIT_V: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "sizes", 2: "an axis" }),
  convert(op) {
    const x = op.input(0);
    const { shape } = op.type(x);
    const axis = axisOf(op.ints(2)[0] ?? 0, shape.length, op.where);
    const sizes = op.ints(1);
    const rest = shape[axis]! - sizes.reduce((sum, d) => sum + Math.max(d, 0), 0);
    bindAll(
      op,
      split(
        op,
        x,
        axis,
        sizes.map((d) => (d === -1 ? rest : d)),
      ),
    );
  },
};

/** What one axis contributes to a slice; `all` is its extent as the file counts it. */
interface Range {
  readonly begin: number;
  readonly size: number;
  readonly step: number;
  /** The file says "to the end". */
  readonly open?: boolean;
}

/** Emits a slice; the batch that is taken whole stays open. */
function sliced(op: TfliteOp, x: string, ranges: readonly Range[], wanted = `${op.name}/slice`): string {
  const { shape, batchAxis } = op.type(x);
  const whole = (axis: number): boolean => {
    const { begin, size, step } = ranges[axis]!;
    return begin === 0 && step === 1 && size === extentAt(op, x, axis);
  };
  if (shape.every((_, axis) => whole(axis))) return x;
  const steps = ranges.map((r) => r.step);
  const attrs = {
    begin: ranges.map((r) => r.begin),
    size: ranges.map((r, axis) => (r.open || (axis === batchAxis && whole(axis)) ? -1 : r.size)),
    ...(steps.some((s) => s !== 1) && { steps }),
  };
  return op.context.folding.node("slice", [x], attrs, wanted)[0]!;
}

/** Extent as the file has it, for its number of samples. */
function extentAt(op: TfliteOp, x: string, axis: number): number {
  const { shape, batchAxis } = op.type(x);
  return shape[axis]! * (axis === batchAxis ? op.context.fileBatch : 1);
}

/** Operand `i`, of which at most the entry of the batch axis may depend on the batch. */
function bounds(op: TfliteOp, x: string, i: number): number[] {
  const { one, other } = op.target(i);
  const { batchAxis } = op.type(x);
  if (other?.some((d, axis) => d !== one[axis] && axis !== batchAxis)) {
    throw new IdapError("E_BATCH", `${op.where}: what it takes depends on the size of the batch`);
  }
  return one;
}

/** x, begin, size (-1: to the end). */
const SLICE: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a begin", 2: "a size" }),
  convert(op) {
    const x = op.input(0);
    const { shape } = op.type(x);
    const [begin, size] = [bounds(op, x, 1), bounds(op, x, 2)];
    if (begin.length !== shape.length || size.length !== shape.length || begin.some((b) => b < 0)) {
      throw new IdapError("E_FORMAT", `${op.where}: begin [${begin}] and size [${size}] do not fit [${shape}]`);
    }
    const ranges = shape.map((_, axis) => {
      const rest = extentAt(op, x, axis) - begin[axis]!;
      const open = size[axis] === -1;
      return { begin: begin[axis]!, size: open ? rest : size[axis]!, step: 1, open };
    });
    op.bind(sliced(op, x, ranges, op.name));
  },
};

const bit = (mask: number, i: number): boolean => ((mask >> i) & 1) === 1;

interface Masks {
  readonly begin: number;
  readonly end: number;
  readonly ellipsis: number;
  readonly newAxis: number;
  readonly shrink: number;
  /** `end` counts from `begin`. */
  readonly offset: boolean;
}

function masksOf(op: TfliteOp): Masks {
  const f = F.StridedSlice;
  const mask = (field: number): number => op.option((o) => o.i32(field), 0);
  return {
    begin: mask(f.beginMask),
    end: mask(f.endMask),
    ellipsis: mask(f.ellipsisMask),
    newAxis: mask(f.newAxisMask),
    shrink: mask(f.shrinkMask),
    offset: op.option((o) => o.bool(f.offset), false),
  };
}

/** x, begin, end, strides, as in numpy: masks say what is open, new, left out or stands for all remaining axes. */
const STRIDED_SLICE: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a begin", 2: "an end", 3: "strides" }),
  convert(op) {
    const x = op.input(0);
    const rank = op.type(x).shape.length;
    const m = masksOf(op);
    const [begin, end, strides] = [bounds(op, x, 1), bounds(op, x, 2), op.ints(3)];
    const news = begin.filter((_, i) => bit(m.newAxis, i) && !bit(m.ellipsis, i)).length;
    const named = begin.length - news - begin.filter((_, i) => bit(m.ellipsis, i)).length;
    if (end.length !== begin.length || strides.length !== begin.length || named > rank || strides.includes(0)) {
      throw new IdapError("E_FORMAT", `${op.where}: [${begin}], [${end}] and [${strides}] do not fit rank ${rank}`);
    }
    const ranges: Range[] = [];
    // Axes of the result: one of the slice, or null for a new one.
    const kept: (number | null)[] = [];
    const take = (range: Range, keep = true): void => {
      if (keep) kept.push(ranges.length);
      ranges.push(range);
    };
    const wholeAxis = (): void => take({ begin: 0, size: extentAt(op, x, ranges.length), step: 1 });
    begin.forEach((_, i) => {
      if (bit(m.ellipsis, i)) {
        for (let n = rank - named; n > 0; n--) wholeAxis();
      } else if (bit(m.newAxis, i)) kept.push(null);
      else {
        const extent = extentAt(op, x, ranges.length);
        const from = begin[i]!;
        const to = m.offset ? from + end[i]! : end[i]!;
        const range = rangeOf(extent, bit(m.begin, i) ? null : from, bit(m.end, i) ? null : to, strides[i]!);
        const index = bit(m.begin, i) ? 0 : from;
        if (bit(m.shrink, i)) take({ begin: index < 0 ? index + extent : index, size: 1, step: 1 }, false);
        else take(range);
      }
    });
    while (ranges.length < rank) wholeAxis();
    const same = kept.length === rank && kept.every((axis, i) => axis === i);
    op.bind(same ? sliced(op, x, ranges, op.name) : reshaped(op, sliced(op, x, ranges), kept));
  },
};

/** The indices that numpy's begin:end:step takes; an open end goes as far as there are any. */
function rangeOf(extent: number, begin: number | null, end: number | null, step: number): Range {
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
  const at = (i: number): number => Math.min(Math.max(i < 0 ? i + extent : i, low), high);
  const from = begin === null ? (step > 0 ? low : high) : at(begin);
  const to = end === null ? (step > 0 ? high : low) : at(end);
  const size = Math.max(Math.ceil((to - from) / step), 0);
  return { begin: Math.max(from, 0), size, step, open: end === null && size > 0 };
}

/** `x` with the given axes of it, and new ones of extent 1. */
function reshaped(op: TfliteOp, x: string, axes: readonly (number | null)[]): string {
  const { shape, batchAxis } = op.type(x);
  if (axes.length === shape.length && axes.every((axis, i) => axis === i)) return x;
  const extents = axes.map((axis) => (axis === null ? 1 : shape[axis]!));
  return reshapeTo(op, x, extents, batchAxis === null ? null : axes.indexOf(batchAxis));
}

export const pieces: Readonly<Record<string, Converter>> = {
  CONCATENATION,
  PACK,
  SLICE,
  SPLIT,
  SPLIT_V,
  STRIDED_SLICE,
  UNPACK,
};
