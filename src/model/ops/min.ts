import { binaryOp } from "./shared/binary.js";
import { formula } from "./shared/formula.js";

/** y = the smaller of a and b; NaN where one is NaN. The gradient of equal operands goes to a. ONNX `Min`, TFLite `MINIMUM`. */
export const min = binaryOp({
  name: "min",
  summary: "smaller of a and b with broadcasting",
  f: Math.min,
  integer: Math.min,
  gradient: [
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.select(f.less(b, a), 0, dy);
    },
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.select(f.less(b, a), dy, 0);
    },
  ],
  tolerance: { kind: "exact" },
});
