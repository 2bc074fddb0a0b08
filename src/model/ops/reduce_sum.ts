import { reduceOp, spread } from "./shared/reduce.js";

/** Sum over axes. ONNX `ReduceSum`, TFLite `SUM`. */
export const reduceSum = reduceOp({
  name: "reduce_sum",
  summary: "sum over axes",
  start: 0,
  join: (total, x) => total + x,
  joinIntegers: (total, x) => (total + x) | 0,
  end: (total) => total,
  vjp: (g, dy) => spread(g, dy, "sum"),
  // count - 1 additions, in any order.
  tolerance: (count) => ({ kind: "roundings", count: count - 1 }),
});
