import { reduceOp, spread } from "./shared/reduce.js";

/** Mean over axes; over axes 1 and 2 it is global average pooling. ONNX `ReduceMean`, `GlobalAveragePool`, TFLite `MEAN`. */
export const reduceMean = reduceOp({
  name: "reduce_mean",
  summary: "mean over axes (global average pooling over axes 1 and 2)",
  start: 0,
  join: (total, x) => total + x,
  end: (total, count) => total / count,
  vjp: (g, dy) => spread(g, dy, "mean"),
  // count - 1 additions; the factor 1 / count is rounded and multiplied with.
  tolerance: (count) => ({ kind: "roundings", count: count + 1 }),
});
