import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = x / (1 + |x|). ONNX `Softsign`. */
export const softsign = unaryOp({
  name: "softsign",
  summary: "x / (1 + |x|)",
  f: (x) => x / (1 + Math.abs(x)),
  gradient: (g, dy) => {
    const f = formula(g);
    const width = f.add(1, f.abs(f.x));
    return f.div(dy, f.mul(width, width));
  },
  tolerance: { kind: "roundings", count: 2 },
});
