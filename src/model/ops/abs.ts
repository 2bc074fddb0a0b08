import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = |x|. ONNX `Abs`, TFLite `ABS`. */
export const abs = unaryOp({
  name: "abs",
  summary: "absolute value",
  f: Math.abs,
  integer: (x) => Math.abs(x) | 0,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.sign(f.x));
  },
  tolerance: { kind: "exact" },
});
