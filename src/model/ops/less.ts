import { ORDERED, predicateOp } from "./shared/binary.js";

/** y = a < b. ONNX `Less`, TFLite `LESS`. */
export const less = predicateOp({
  name: "less",
  summary: "whether a is below b",
  dtypes: ORDERED,
  f: (a, b) => a < b,
});
