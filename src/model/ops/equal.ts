import { ORDERED, predicateOp } from "./shared/binary.js";

/** y = a is b. ONNX `Equal`, TFLite `EQUAL`. */
export const equal = predicateOp({
  name: "equal",
  summary: "whether a equals b",
  dtypes: [...ORDERED, "bool"],
  f: (a, b) => a === b,
});
