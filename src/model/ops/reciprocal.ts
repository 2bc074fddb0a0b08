import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = 1 / x. ONNX `Reciprocal`. */
export const reciprocal = unaryOp({
  name: "reciprocal",
  summary: "1 / x",
  f: (x) => 1 / x,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.neg(f.mul(dy, f.mul(f.y, f.y)));
  },
  tolerance: { kind: "roundings", count: 1 },
});
