import { predicateOp } from "./shared/binary.js";

/** y = a and b. ONNX `And`, TFLite `LOGICAL_AND`. */
export const logicalAnd = predicateOp({
  name: "logical_and",
  summary: "a and b",
  dtypes: ["bool"],
  f: (a, b) => a !== 0 && b !== 0,
});
