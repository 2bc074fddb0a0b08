import { z } from "zod";
import { EXP_ROUNDINGS } from "./shared/exp.js";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

const attrs = z.strictObject({ alpha: z.number(), gamma: z.number() });
export type SeluAttrs = z.infer<typeof attrs>;

/** y = gamma * x above 0, gamma * alpha * (e^x - 1) below. ONNX `Selu`, Keras `selu`. */
export const selu = unaryOp<SeluAttrs>({
  name: "selu",
  summary: "gamma * elu(x)",
  attrs,
  f: (x, { alpha, gamma }) => gamma * (x > 0 ? x : alpha * Math.expm1(x)),
  gradient: (g, dy) => {
    const f = formula(g);
    const { alpha, gamma } = g.attrs;
    return f.mul(dy, f.select(f.greater(f.x, 0), gamma, f.add(f.y, alpha * gamma)));
  },
  tolerance: { kind: "roundings", count: EXP_ROUNDINGS + 4 },
});
