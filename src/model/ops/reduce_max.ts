import { reduceOp } from "./shared/reduce.js";

/** Maximum over axes; over axes 1 and 2 it is global max pooling. ONNX `ReduceMax`, `GlobalMaxPool`, TFLite `REDUCE_MAX`. */
export const reduceMax = reduceOp({
  name: "reduce_max",
  summary: "maximum over axes (global max pooling over axes 1 and 2)",
  start: -Infinity,
  join: Math.max,
  joinIntegers: Math.max,
  end: (total) => total,
  vjp: (g, dy) => g.emit("reduce_max_grad", [dy, g.inputs[0]!, g.outputs[0]!], g.attrs)[0]!,
  tolerance: () => ({ kind: "exact" }),
});
