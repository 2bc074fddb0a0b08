import { z } from "zod";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

const attrs = z.strictObject({ alpha: z.number(), beta: z.number() });
export type HardSigmoidAttrs = z.infer<typeof attrs>;

/** y = max(0, min(1, alpha * x + beta)). ONNX `HardSigmoid`. */
export const hardSigmoid = unaryOp<HardSigmoidAttrs>({
  name: "hard_sigmoid",
  summary: "alpha * x + beta between 0 and 1",
  attrs,
  f: (x, { alpha, beta }) => Math.max(0, Math.min(1, alpha * x + beta)),
  gradient: (g, dy) => {
    const f = formula(g);
    const inside = f.and(f.greater(f.y, 0), f.less(f.y, 1));
    return f.mul(dy, f.select(inside, g.attrs.alpha, 0));
  },
  // Relative to |alpha x| + |beta|: two constants, a product and a sum.
  tolerance: { kind: "roundings", count: 4 },
});
