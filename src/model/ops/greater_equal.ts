import { ORDERED, predicateOp } from "./shared/binary.js";

/** y = a >= b. ONNX `GreaterOrEqual`, TFLite `GREATER_EQUAL`. */
export const greaterEqual = predicateOp({
  name: "greater_equal",
  summary: "whether a is above b or equals it",
  dtypes: ORDERED,
  f: (a, b) => a >= b,
});
