import { reduceOp } from "./shared/reduce.js";

/** Product over axes. ONNX `ReduceProd`, TFLite `REDUCE_PROD`. */
export const reduceProd = reduceOp({
  name: "reduce_prod",
  summary: "product over axes",
  start: 1,
  join: (total, x) => total * x,
  joinIntegers: Math.imul,
  end: (total) => total,
  // count - 1 products, in any order.
  tolerance: (count) => ({ kind: "roundings", count: count - 1 }),
});
