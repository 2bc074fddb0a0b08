import { z } from "zod";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

const attrs = z.strictObject({ alpha: z.number() });
export type LeakyReluAttrs = z.infer<typeof attrs>;

/** y = x above 0, alpha * x below. ONNX `LeakyRelu`, TFLite `LEAKY_RELU`. */
export const leakyRelu = unaryOp<LeakyReluAttrs>({
  name: "leaky_relu",
  summary: "x, or alpha * x below 0",
  attrs,
  f: (x, { alpha }) => (x > 0 ? x : alpha * x),
  gradient: (g, dy) => {
    const f = formula(g);
    return f.mul(dy, f.select(f.greater(f.x, 0), 1, g.attrs.alpha));
  },
  tolerance: { kind: "roundings", count: 2 },
});
