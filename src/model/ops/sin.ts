import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = sin(x), x in radians. ONNX `Sin`, TFLite `SIN`. */
export const sin = unaryOp({
  name: "sin",
  summary: "sine",
  f: Math.sin,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.cos(f.x));
  },
  // Relative to 1, the largest value.
  tolerance: { kind: "roundings", count: 2 },
});
