import { sizeOf } from "../../../model/types.js";
import { axesOf, axisOf } from "../../shared/check.js";
import { activationOf, refuseActivation, refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";
import { windowOf } from "./convolution.js";

function windowAttrs(o: TfliteOp): { kernel: [number, number]; strides: number[]; pads: number[] } {
  const kernel: [number, number] = [
    o.option((t) => t.i32(F.Pool2D.filterH), 0),
    o.option((t) => t.i32(F.Pool2D.filterW), 0),
  ];
  return { kernel, ...windowOf(o, F.Pool2D, kernel, [1, 1]) };
}

function pool(op: string, extra: object): Converter {
  return {
    refuse: (o) => refuseActivation(o, F.Pool2D.activation),
    convert: (o) => o.result(op, [o.input(0)], { ...windowAttrs(o), ...extra }, activationOf(o, F.Pool2D.activation)),
  };
}

/** Root of the mean square of each window. */
const L2_POOL_2D: Converter = {
  refuse: (o) => refuseActivation(o, F.Pool2D.activation),
  convert(o) {
    const squares = o.step("squares", "mul", [o.input(0), o.input(0)]);
    const mean = o.emit("avg_pool2d", [squares], { ...windowAttrs(o), countIncludePad: false });
    o.result("sqrt", [mean], {}, activationOf(o, F.Pool2D.activation));
  },
};

/** Axes and whether they stay, from operand 1 and the options. */
function reduction(o: TfliteOp): { axes: number[]; keepDims: boolean } {
  const { shape } = o.type(o.input(0));
  return {
    axes: axesOf(o.ints(1), shape.length, o.where),
    keepDims: o.option((t) => t.bool(F.Reducer.keepDims), false),
  };
}

function reduce(op: string): Converter {
  return {
    refuse: (o) => refuseComputed(o, { 1: "axes" }),
    convert(o) {
      const attrs = reduction(o);
      if (attrs.axes.length === 0) return o.bind(o.input(0));
      o.result(op, [o.input(0)], attrs);
    },
  };
}

/** Of integers: the sum, divided toward zero. */
const MEAN: Converter = {
  refuse: (o) => refuseComputed(o, { 1: "axes" }),
  convert(o) {
    const x = o.input(0);
    const attrs = reduction(o);
    if (attrs.axes.length === 0) return o.bind(x);
    const { dtype, shape } = o.type(x);
    if (dtype === "f32") return o.result("reduce_mean", [x], attrs);
    const count = sizeOf(attrs.axes.map((axis) => shape[axis]!));
    o.result("div", [o.emit("reduce_sum", [x], attrs), o.constant([], Int32Array.of(count))]);
  },
};

/** Whether any or all of a tensor of truth values are true. */
function truth(op: string): Converter {
  return {
    refuse: (o) => refuseComputed(o, { 1: "axes" }),
    convert(o) {
      const attrs = reduction(o);
      if (attrs.axes.length === 0) return o.bind(o.input(0));
      const numbers = o.step("numbers", "cast", [o.input(0)], { to: "i32" });
      o.result("cast", [o.emit(op, [numbers], attrs)], { to: "bool" });
    },
  };
}

const CUMSUM: Converter = {
  refuse: (o) => refuseComputed(o, { 1: "an axis" }),
  convert(o) {
    const x = o.input(0);
    o.result("cumsum", [x], {
      axis: axisOf(o.ints(1)[0] ?? 0, o.type(x).shape.length, o.where),
      exclusive: o.option((t) => t.bool(F.Cumsum.exclusive), false),
      reverse: o.option((t) => t.bool(F.Cumsum.reverse), false),
    });
  },
};

export const pooling: Readonly<Record<string, Converter>> = {
  /** TensorFlow divides by the number of real values under the window. */
  AVERAGE_POOL_2D: pool("avg_pool2d", { countIncludePad: false }),
  CUMSUM,
  L2_POOL_2D,
  MAX_POOL_2D: pool("max_pool2d", {}),
  MEAN,
  REDUCE_ALL: truth("reduce_min"),
  REDUCE_ANY: truth("reduce_max"),
  REDUCE_MAX: reduce("reduce_max"),
  REDUCE_MIN: reduce("reduce_min"),
  REDUCE_PROD: reduce("reduce_prod"),
  SUM: reduce("reduce_sum"),
};
