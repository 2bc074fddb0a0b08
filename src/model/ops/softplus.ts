import { EXP_ROUNDINGS } from "./shared/exp.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = ln(1 + e^x). ONNX `Softplus`. */
export const softplus = unaryOp({
  name: "softplus",
  summary: "ln(1 + e^x)",
  f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.sigmoid(f.x));
  },
  // max(x, 0) + ln(1 + e^-|x|): an error of exp enters the logarithm with a factor below 1; then log and the sum.
  tolerance: { kind: "roundings", count: EXP_ROUNDINGS + 6 },
});
