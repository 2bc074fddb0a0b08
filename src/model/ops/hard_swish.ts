import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = x * min(max(x + 3, 0), 6) / 6. ONNX `HardSwish`, TFLite `HARD_SWISH`. */
export const hardSwish = unaryOp({
  name: "hard_swish",
  summary: "x * relu6(x + 3) / 6",
  f: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
  gradient: (g, dy) => {
    const f = formula(g);
    const inside = f.add(f.div(f.x, 3), 0.5);
    return f.mul(dy, f.select(f.greater(f.x, 3), 1, f.select(f.less(f.x, -3), 0, inside)));
  },
  // Relative to |x|: the sum, two products and the constant 1 / 6.
  tolerance: { kind: "roundings", count: 4 },
});
