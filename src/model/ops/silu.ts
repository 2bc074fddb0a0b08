import { EXP_ROUNDINGS } from "./shared/exp.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = x / (1 + e^-x), also called swish. TF.js `swish`, Keras `silu`; ONNX and TFLite write it as x * sigmoid(x). */
export const silu = unaryOp({
  name: "silu",
  summary: "x * sigmoid(x)",
  f: (x) => x / (1 + Math.exp(-x)),
  gradient: (g, dy) => {
    const f = formula(g);
    const s = f.sigmoid(f.x);
    return f.mul(dy, f.add(s, f.mul(f.y, f.sub(1, s))));
  },
  // exp, a product, the sum and the quotient.
  tolerance: { kind: "roundings", count: EXP_ROUNDINGS + 3 },
});
