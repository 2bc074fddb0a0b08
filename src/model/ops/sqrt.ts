import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = sqrt(x); NaN below 0. ONNX `Sqrt`, TFLite `SQRT`. */
export const sqrt = unaryOp({
  name: "sqrt",
  summary: "square root",
  f: Math.sqrt,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.div(f.mul(dy, 0.5), f.y);
  },
  tolerance: { kind: "roundings", count: 1 },
});
