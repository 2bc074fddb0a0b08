import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = ln x; -Infinity at 0, NaN below. ONNX `Log`, TFLite `LOG`. */
export const log = unaryOp({
  name: "log",
  summary: "natural logarithm",
  f: Math.log,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.div(dy, f.x);
  },
  // Of ln m, which is at most half of e ln 2 where both do not vanish: quotient, polynomial, sum.
  tolerance: { kind: "roundings", count: 4 },
});
