import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = cos(x), x in radians. ONNX `Cos`, TFLite `COS`. */
export const cos = unaryOp({
  name: "cos",
  summary: "cosine",
  f: Math.cos,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.neg(f.mul(dy, f.sin(f.x)));
  },
  // Relative to 1, the largest value.
  tolerance: { kind: "roundings", count: 2 },
});
