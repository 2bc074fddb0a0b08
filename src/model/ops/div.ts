import { binaryOp } from "./shared/binary.js";
import { formula } from "./shared/formula.js";
import { int32 } from "./shared/integer.js";

/** y = a / b with numpy broadcasting; integers truncate toward zero. ONNX `Div`, TFLite `DIV`. */
export const div = binaryOp({
  name: "div",
  summary: "a / b with broadcasting; integers truncate",
  f: (a, b) => a / b,
  integer: int32.div,
  gradient: [
    (g, dy) => {
      const f = formula(g);
      const b = g.inputs[1]!;
      return f.div(dy, b);
    },
    (g, dy) => {
      const f = formula(g);
      const b = g.inputs[1]!;
      return f.neg(f.div(f.mul(dy, f.y), b));
    },
  ],
  tolerance: { kind: "roundings", count: 1 },
});
