import { reduceOp } from "./shared/reduce.js";

/** Minimum over axes. ONNX `ReduceMin`, TFLite `REDUCE_MIN`. */
export const reduceMin = reduceOp({
  name: "reduce_min",
  summary: "minimum over axes",
  start: Infinity,
  join: Math.min,
  joinIntegers: Math.min,
  end: (total) => total,
  // To the first element that equals the result, as for the maximum.
  vjp: (g, dy) => g.emit("reduce_max_grad", [dy, g.inputs[0]!, g.outputs[0]!], g.attrs)[0]!,
  tolerance: () => ({ kind: "exact" }),
});
