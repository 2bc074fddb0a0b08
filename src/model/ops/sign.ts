import { unaryOp } from "./shared/unary.js";

/** y = -1, 0 or 1; NaN stays. ONNX `Sign`, TFLite `SIGN`. */
export const sign = unaryOp({
  name: "sign",
  summary: "-1, 0 or 1",
  f: Math.sign,
  integer: Math.sign,
  gradient: "none",
  tolerance: { kind: "exact" },
});
