import { axesOf } from "../../shared/check.js";
import { channelsLast, refuseComputed, type Converter, type OnnxOp } from "../context.js";
import { refuseWindow, windowOf } from "./window.js";

function undilated(op: OnnxOp): string | null {
  return op.ints("dilations")?.some((d) => d !== 1) ? "dilations" : null;
}

export const MaxPool: Converter = {
  refuse(op) {
    if (op.node.output.length > 1) return "a second output";
    return refuseWindow(op) ?? undilated(op) ?? (op.int("storage_order", 0) === 0 ? null : "storage_order 1");
  },
  convert(op) {
    const { kernel, strides, pads } = windowOf(op);
    op.emitLast("max_pool2d", [op.inputLast(0)], { kernel, strides, pads });
  },
};

export const AveragePool: Converter = {
  refuse(op) {
    if (op.int("ceil_mode", 0) !== 0 && op.int("count_include_pad", 0) !== 0) return "ceil_mode and count_include_pad";
    return refuseWindow(op) ?? undilated(op);
  },
  convert(op) {
    const { kernel, strides, pads } = windowOf(op);
    const countIncludePad = op.int("count_include_pad", 0) !== 0;
    op.emitLast("avg_pool2d", [op.inputLast(0)], { kernel, strides, pads, countIncludePad });
  },
};

function globalPool(ir: string): Converter {
  return {
    convert(op) {
      const rank = op.type(0).shape.length;
      if (rank < 3) throw op.malformed(`needs an operand of rank 3 or more, got rank ${rank}`);
      const axes = Array.from({ length: rank - 2 }, (_, i) => i + 1);
      op.emitLast(ir, [op.inputLast(0)], { axes, keepDims: true });
    },
  };
}

export const GlobalAveragePool = globalPool("reduce_mean");
export const GlobalMaxPool = globalPool("reduce_max");

/** Axes are an attribute, from operator set 13 (sum) or 18 an operand; none means all. */
function reduce(ir: string): Converter {
  return {
    refuse: (op) => refuseComputed(op, { 1: "axes" }),
    convert(op) {
      const rank = op.type(0).shape.length;
      const given = op.intsFrom("axes", 1) ?? [];
      if (given.length === 0 && op.int("noop_with_empty_axes", 0) !== 0) return op.alias();
      const axes = given.length > 0 ? axesOf(given, rank, op.where) : Array.from({ length: rank }, (_, i) => i);
      const keepDims = op.int("keepdims", 1) !== 0;
      const last = rank > 2 ? channelsLast(rank) : [];
      const moved = axes.map((a) => last.indexOf(a)).sort((a, b) => a - b);
      // Without the reduced axes, what is left must come in the same order in both layouts.
      const left = last.filter((a) => !axes.includes(a));
      if (op.hasLast(0) && keepDims) op.emitLast(ir, [op.inputLast(0)], { axes: moved, keepDims });
      else if (op.hasLast(0) && left.every((a, i) => i === 0 || left[i - 1]! < a)) {
        op.emit(ir, [op.inputLast(0)], { axes: moved, keepDims });
      } else op.emit(ir, [op.input(0)], { axes, keepDims });
    },
  };
}

export const ReduceMean = reduce("reduce_mean");
export const ReduceMax = reduce("reduce_max");
export const ReduceSum = reduce("reduce_sum");
