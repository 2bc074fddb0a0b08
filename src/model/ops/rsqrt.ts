import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

/** y = 1 / sqrt(x). TFLite `RSQRT`. */
export const rsqrt = unaryOp({
  name: "rsqrt",
  summary: "1 / square root",
  f: (x) => 1 / Math.sqrt(x),
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(f.mul(dy, -0.5), f.mul(f.y, f.mul(f.y, f.y)));
  },
  tolerance: { kind: "roundings", count: 2 },
});
