import { ORDERED, predicateOp } from "./shared/binary.js";

/** y = a <= b. ONNX `LessOrEqual`, TFLite `LESS_EQUAL`. */
export const lessEqual = predicateOp({
  name: "less_equal",
  summary: "whether a is below b or equals it",
  dtypes: ORDERED,
  f: (a, b) => a <= b,
});
