import { ORDERED, predicateOp } from "./shared/binary.js";

/** y = a > b. ONNX `Greater`, TFLite `GREATER`. */
export const greater = predicateOp({
  name: "greater",
  summary: "whether a is above b",
  dtypes: ORDERED,
  f: (a, b) => a > b,
});
