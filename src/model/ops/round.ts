import { roundEven } from "./shared/quant.js";
import { unaryOp } from "./shared/unary.js";

/** y = the nearest integer, halves to the even one. ONNX `Round`, TFLite `ROUND`. */
export const round = unaryOp({
  name: "round",
  summary: "nearest integer, halves to even",
  f: roundEven,
  gradient: "none",
  tolerance: { kind: "exact" },
});
