import { binaryOp } from "./shared/binary.js";
import { formula } from "./shared/formula.js";

/** y = the larger of a and b; NaN where one is NaN. The gradient of equal operands goes to a. ONNX `Max`, TFLite `MAXIMUM`. */
export const max = binaryOp({
  name: "max",
  summary: "larger of a and b with broadcasting",
  f: Math.max,
  integer: Math.max,
  gradient: [
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.select(f.greater(b, a), 0, dy);
    },
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.select(f.greater(b, a), dy, 0);
    },
  ],
  tolerance: { kind: "exact" },
});
