import { unaryOp } from "./shared/unary.js";

/** y = the smallest integer that is not below x. ONNX `Ceil`, TFLite `CEIL`. */
export const ceil = unaryOp({
  name: "ceil",
  summary: "smallest integer above or at x",
  f: Math.ceil,
  gradient: "none",
  tolerance: { kind: "exact" },
});
