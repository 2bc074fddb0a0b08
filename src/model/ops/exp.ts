import { EXP_ROUNDINGS } from "./shared/exp.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = e^x. ONNX `Exp`, TFLite `EXP`. */
export const exp = unaryOp({
  name: "exp",
  summary: "e^x",
  f: Math.exp,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.y);
  },
  tolerance: { kind: "roundings", count: EXP_ROUNDINGS },
});
