import { EXP_ROUNDINGS } from "./shared/exp.js";
import { unaryOp } from "./shared/unary.js";

/** y = 1 / (1 + exp(-x)). ONNX `Sigmoid`, TFLite `LOGISTIC`. */
export const sigmoid = unaryOp({
  name: "sigmoid",
  summary: "1 / (1 + exp(-x))",
  // For x < 0 the other form, so that exp never overflows.
  f: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  // exp, the addition and the division; an error of exp enters with the factor 1 - y < 1 (or twice, in the other form).
  gradient: "operator",
  tolerance: { kind: "roundings", count: 2 * EXP_ROUNDINGS + 2 },
});
