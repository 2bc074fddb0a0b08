import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = tanh(x). ONNX `Tanh`, TFLite `TANH`. */
export const tanh = unaryOp({
  name: "tanh",
  summary: "hyperbolic tangent",
  f: Math.tanh,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.sub(1, f.mul(f.y, f.y)));
  },
  // A polynomial below 5/8; above it 1 - 2 / (e^2x + 1), where errors of exp are halved.
  tolerance: { kind: "roundings", count: 6 },
});
