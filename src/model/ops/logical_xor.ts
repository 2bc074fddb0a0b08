import { predicateOp } from "./shared/binary.js";

/** y = a or b, not both. ONNX `Xor`. */
export const logicalXor = predicateOp({
  name: "logical_xor",
  summary: "a or b, not both",
  dtypes: ["bool"],
  f: (a, b) => (a !== 0) !== (b !== 0),
});
