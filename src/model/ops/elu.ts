import { z } from "zod";
import { EXP_ROUNDINGS } from "./shared/exp.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

const attrs = z.strictObject({ alpha: z.number() });
export type EluAttrs = z.infer<typeof attrs>;

/** y = x above 0, alpha * (e^x - 1) below. ONNX `Elu`, TFLite `ELU`. */
export const elu = unaryOp<EluAttrs>({
  name: "elu",
  summary: "x, or alpha * (e^x - 1) below 0",
  attrs,
  f: (x, { alpha }) => (x > 0 ? x : alpha * Math.expm1(x)),
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.select(f.greater(f.x, 0), 1, f.add(f.y, g.attrs.alpha)));
  },
  tolerance: { kind: "roundings", count: EXP_ROUNDINGS + 2 },
});
