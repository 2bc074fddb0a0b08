import { axesOf, axisOf } from "../../shared/check.js";
import type { Dtype } from "../../../model/types.js";
import { indicesName } from "../producer.js";
import { channelsLast } from "../context.js";
import { refuseComputedShape, type Converter, type OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";
import { reduceByOperand } from "./reduce-computed.js";

/** Operand 0 in the order that a reduction takes it in, the axes in it, and whether the result has channels last. */
function reduction(op: OnnxOp): { x: string; axes: number[]; keepDims: boolean; last: boolean } | null {
  const rank = op.type(0).shape.length;
  const given = op.intsFrom("axes", 1) ?? [];
  if (given.length === 0 && op.int("noop_with_empty_axes", 0) !== 0) return null;
  const axes = given.length > 0 ? axesOf(given, rank, op.where) : Array.from({ length: rank }, (_, i) => i);
  const keepDims = op.int("keepdims", 1) !== 0;
  if (rank > 2 && op.hasLast(0)) {
    const order = channelsLast(rank);
    const moved = axes.map((a) => order.indexOf(a)).sort((a, b) => a - b);
    // Without the reduced axes, what is left must come in the same order in both layouts.
    const left = order.filter((a) => !axes.includes(a));
    if (keepDims) return { x: op.inputLast(0), axes: moved, keepDims, last: true };
    if (left.every((a, i) => i === 0 || left[i - 1]! < a)) {
      return { x: op.inputLast(0), axes: moved, keepDims, last: false };
    }
  }
  return { x: op.input(0), axes, keepDims, last: false };
}

/** Axes are an attribute, from operator set 13 (sum) or 18 an operand; none means all. */
function reduce(ir: string, before: (op: OnnxOp, x: string) => string = (_, x) => x, after?: string): Converter {
  const converter: Converter = {
    refuse: (op) => refuseComputedShape(op, { 1: "axes" }),
    convert(op) {
      if (op.isComputed(1)) return reduceByOperand(op, converter);
      const r = reduction(op);
      const integers = op.type(0).dtype !== "f32" && ir === "reduce_mean";
      const { x: own, last } = r ?? op.anyOrder;
      if (!r || r.axes.length === 0) {
        const x = before(op, own);
        const y = after ? op.step(after, after, [x]) : x;
        return x === own && !after ? op.alias() : op.give(y, { last });
      }
      const { axes, keepDims } = r;
      const x = before(op, integers ? op.step("f32", "cast", [own], { to: "f32" }) : own);
      if (!after && !integers) return op.emit(ir, [x], { axes, keepDims }, { last });
      const y = op.step("reduced", ir, [x], { axes, keepDims });
      if (integers) return op.emit("cast", [y], { to: "i32" }, { last, dtype: op.dtype(0) });
      const floats = op.typeOf(y).dtype === "f32" ? y : op.step("f32", "cast", [y], { to: "f32" });
      op.emit(after!, [floats], {}, { last });
    },
  };
  return converter;
}

const square = (op: OnnxOp, x: string): string => op.step("square", "mul", [x, x]);

export const ReduceMean = reduce("reduce_mean");
export const ReduceSum = reduce("reduce_sum");
export const ReduceProd = reduce("reduce_prod");
export const ReduceL1 = reduce("reduce_sum", (op, x) => op.step("abs", "abs", [x]));
export const ReduceL2 = reduce("reduce_sum", square, "sqrt");
export const ReduceSumSquare = reduce("reduce_sum", square);
export const ReduceLogSum = reduce("reduce_sum", (_, x) => x, "log");

/** Truth values as integers: the largest is "or", the smallest "and". */
function extreme(ir: string): Converter {
  const plain = reduce(ir);
  const converter: Converter = {
    ...plain,
    convert(op) {
      if (op.isComputed(1)) return reduceByOperand(op, converter);
      if (op.type(0).dtype !== "bool") return plain.convert(op);
      const integers = op.step("i32", "cast", [op.input(0)], { to: "i32" });
      const name = `${op.inputName(0)}/${op.output}/i32`;
      op.context.bind(name, { file: integers, dtype: "i32" });
      const inner = op.derived({ input: [name, ...op.node.input.slice(1)], output: [`${op.output}/i32`] });
      plain.convert(inner);
      op.emit("cast", [op.context.inFileOrder(inner.output)], { to: "bool" });
    },
  };
  return converter;
}

export const ReduceMax = extreme("reduce_max");
export const ReduceMin = extreme("reduce_min");

/** max + log(sum(exp(x - max))), so that nothing overflows. */
export const ReduceLogSumExp: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "axes" }),
  convert(op) {
    if (op.isComputed(1)) return reduceByOperand(op, ReduceLogSumExp);
    const r = reduction(op);
    if (!r || r.axes.length === 0) return op.alias();
    const { x, axes, keepDims, last } = r;
    const largest = op.step("max", "reduce_max", [x], { axes, keepDims: true });
    // Where everything is -infinity its difference to itself would be no number.
    const finite = op.step("finite", "clip", [largest], { min: -3.4028234663852886e38, max: 3.4028234663852886e38 });
    const powers = op.step("exp", "exp", [op.step("shifted", "sub", [x, finite])]);
    const log = op.step("log", "log", [op.step("sum", "reduce_sum", [powers], { axes, keepDims: true })]);
    if (keepDims) return op.emit("add", [log, finite], {}, { last });
    const y = op.step("result", "add", [log, finite]);
    const { shape, batchAxis } = op.typeOf(y);
    const left = shape.map((d, i) => (i === batchAxis ? -1 : d)).filter((_, i) => !axes.includes(i));
    op.emit("reshape", [y], { shape: left }, { last });
  },
};

function argReduce(kind: "max" | "min"): Converter {
  return {
    convert(op) {
      const rank = op.type(0).shape.length;
      const axis = axisOf(op.int("axis", 0), rank, op.where);
      const keepDims = op.int("keepdims", 1) !== 0;
      const attrs = { keepDims, kind, last: op.int("select_last_index", 0) !== 0 };
      if (op.hasLast(0) && keepDims) {
        const at = channelsLast(rank).indexOf(axis);
        return op.emitLast("arg_reduce", [op.inputLast(0)], { ...attrs, axis: at }, "i64");
      }
      op.emit("arg_reduce", [op.input(0)], { ...attrs, axis }, indices(op, op.output));
    },
  };
}

/** How indices are bound: 64 bits wide, in our own files as the Cast behind them says. */
function indices(op: OnnxOp, output: string): { output: string; dtype: Dtype } {
  const next = op.context.ours ? op.context.soleReader.get(output) : null;
  if (next?.opType !== "Cast" || next.name !== indicesName(op.node.name)) return { output, dtype: "i64" };
  op.context.done.add(next);
  return { output: next.output[0]!, dtype: "i32" };
}

export const ArgMax = argReduce("max");
export const ArgMin = argReduce("min");

/** k is an attribute, from operator set 10 an operand. Unsorted results are sorted here. */
export const TopK: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "k" }),
  convert(op) {
    const rank = op.type(0).shape.length;
    const axis = axisOf(op.int("axis", -1), rank, op.where);
    const k = op.hasAttribute("k") ? op.int("k", 0) : op.isComputed(1) ? op.stated()![axis]! : op.scalarOf(1)!;
    const attrs = { axis, k, largest: op.int("largest", 1) !== 0 };
    const [values = "", places = ""] = op.node.output;
    op.emitMany("top_k", [op.input(0)], attrs, [
      { output: values, dtype: op.dtype(0) },
      places === "" ? null : indices(op, places),
    ]);
  },
};

/** Running results along an axis. An axis that is computed chooses among the results for all of them. */
function running(along: (op: OnnxOp, x: string, axis: number) => string): Converter {
  return {
    convert(op) {
      const { shape } = op.type(0);
      const dtype = op.dtype(0);
      if (!op.isComputed(1)) {
        return op.give(along(op, op.input(0), axisOf(op.scalarOf(1) ?? 0, shape.length, op.where)), { dtype });
      }
      const p = new Pieces(op);
      const wanted = p.do("reshape", [p.do("floor_mod", [op.input(1), shape.length])], { shape: [] });
      const results = shape.map((_, axis) => along(op, op.input(0), axis));
      const y = results.reduce((other, own, axis) => p.do("select", [p.do("equal", [wanted, axis]), own, other]));
      op.give(y, { dtype });
    },
  };
}

export const CumSum: Converter = {
  convert(op) {
    const attrs = { exclusive: op.int("exclusive", 0) !== 0, reverse: op.int("reverse", 0) !== 0 };
    if (op.isComputed(1)) {
      return running((o, x, axis) => o.step("sums", "cumsum", [x], { ...attrs, axis })).convert(op);
    }
    op.emit("cumsum", [op.input(0)], {
      ...attrs,
      axis: axisOf(op.scalarOf(1) ?? 0, op.type(0).shape.length, op.where),
    });
  },
};

/** Products of 1, 2, 4, ... neighbours, each from the one before: log2 of the extent steps. */
export const CumProd = running((op, x, axis) => {
  const p = new Pieces(op);
  const extent = p.shape(x)[axis]!;
  const reverse = op.int("reverse", 0) !== 0;
  let y = op.int("exclusive", 0) !== 0 ? shifted(p, x, axis, 1, reverse) : x;
  for (let reach = 1; reach < extent; reach *= 2) y = p.do("mul", [y, shifted(p, y, axis, reach, reverse)]);
  return y;
});

/** Each element `by` places further along an axis (back, where `reverse`), ones where nothing comes from. */
function shifted(p: Pieces, x: string, axis: number, by: number, reverse: boolean): string {
  const shape = p.shape(x);
  const extent = shape[axis]!;
  const width = (n: number): number[] => shape.map((_, i) => (i === axis ? n : 0));
  const attrs = { before: width(reverse ? 0 : by), after: width(reverse ? by : 0), value: 1 };
  return p.part(p.do("pad", [x], attrs), axis, reverse ? by : 0, extent);
}
