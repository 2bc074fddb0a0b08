import { z } from "zod";
import { erf } from "./shared/erf.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

const SLOPE = Math.sqrt(2 / Math.PI);
const CUBE = 0.044715;
const inner = (x: number): number => SLOPE * (x + CUBE * x ** 3);

const attrs = z.strictObject({ approximate: z.enum(["none", "tanh"]) });
export type GeluAttrs = z.infer<typeof attrs>;

/** y = x * Phi(x), Phi the normal distribution; `tanh`: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). ONNX and TFLite `GELU`. */
export const gelu = unaryOp<GeluAttrs>({
  name: "gelu",
  summary: "x * normal distribution of x, or its form with tanh",
  attrs,
  f: (x, { approximate }) => 0.5 * x * (1 + (approximate === "none" ? erf(x * Math.SQRT1_2) : Math.tanh(inner(x)))),
  gradient: (g, dy) => {
    const f = formula(g);
    const exact = g.attrs.approximate === "none";
    const square = f.mul(f.x, f.x);
    const bend = f.tanh(f.mul(f.x, f.add(SLOPE, f.mul(square, SLOPE * CUBE))));
    const share = exact ? f.erf(f.mul(f.x, Math.SQRT1_2)) : bend;
    const density = exact
      ? f.mul(Math.sqrt(2 / Math.PI), f.exp(f.mul(square, -0.5)))
      : f.mul(f.sub(1, f.mul(bend, bend)), f.add(SLOPE, f.mul(square, 3 * SLOPE * CUBE)));
    return f.mul(f.mul(dy, 0.5), f.add(f.add(1, share), f.mul(f.x, density)));
  },
  // Relative to |x|: tanh (6) and what 4 roundings of its argument cost (2), halved, the sum and two products.
  tolerance: { kind: "roundings", count: 8 },
});
