import { unaryOp } from "./shared/unary.js";

/** y = the largest integer that is not above x. ONNX `Floor`, TFLite `FLOOR`. */
export const floor = unaryOp({
  name: "floor",
  summary: "largest integer below or at x",
  f: Math.floor,
  gradient: "none",
  tolerance: { kind: "exact" },
});
