import { erf as erfOf } from "./shared/erf.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x. ONNX `Erf`. */
export const erf = unaryOp({
  name: "erf",
  summary: "error function",
  f: erfOf,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.mul(2 / Math.sqrt(Math.PI), f.exp(f.neg(f.mul(f.x, f.x)))));
  },
  tolerance: { kind: "roundings", count: 4 },
});
