import { axesOf } from "../../shared/check.js";
import { activationOf, refuseActivation, refuseComputed, type Converter } from "../context.js";
import { F } from "../schema.js";
import { windowOf } from "./convolution.js";

function pool(op: string, extra: object): Converter {
  return {
    refuse: (o) => refuseActivation(o, F.Pool2D.activation),
    convert(o) {
      const kernel: [number, number] = [
        o.option((t) => t.i32(F.Pool2D.filterH), 0),
        o.option((t) => t.i32(F.Pool2D.filterW), 0),
      ];
      const { strides, pads } = windowOf(o, F.Pool2D, kernel, [1, 1]);
      o.emit(op, [o.input(0)], { kernel, strides, pads, ...extra }, activationOf(o, F.Pool2D.activation));
    },
  };
}

export const MAX_POOL_2D = pool("max_pool2d", {});

/** TensorFlow divides by the number of real values under the window. */
export const AVERAGE_POOL_2D = pool("avg_pool2d", { countIncludePad: false });

function reduce(op: string): Converter {
  return {
    refuse: (o) => refuseComputed(o, { 1: "axes" }),
    convert(o) {
      const x = o.input(0);
      const axes = axesOf(o.ints(1), o.type(x).shape.length, o.where);
      if (axes.length === 0) return o.bind(x);
      o.emit(op, [x], { axes, keepDims: o.option((t) => t.bool(F.Reducer.keepDims), false) });
    },
  };
}

export const MEAN = reduce("reduce_mean");
export const REDUCE_MAX = reduce("reduce_max");
export const SUM = reduce("reduce_sum");
