import { predicateOp } from "./shared/binary.js";

/** y = a or b. ONNX `Or`, TFLite `LOGICAL_OR`. */
export const logicalOr = predicateOp({
  name: "logical_or",
  summary: "a or b",
  dtypes: ["bool"],
  f: (a, b) => a !== 0 || b !== 0,
});
