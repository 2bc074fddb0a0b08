import { z } from "zod";
import { formula } from "./shared/formula.js";
import { unaryOp } from "./shared/unary.js";

const attrs = z.strictObject({ min: z.number().nullable(), max: z.number().nullable() });
export type ClipAttrs = z.infer<typeof attrs>;

const between = (x: number, { min, max }: ClipAttrs): number =>
  Math.min(Math.max(x, min ?? -Infinity), max ?? Infinity);

/** y = min(max(x, min), max); null: no bound on that side. ONNX `Clip`, TFLite `MINIMUM` and `MAXIMUM` with a constant. */
export const clip = unaryOp<ClipAttrs>({
  name: "clip",
  summary: "x between min and max",
  attrs,
  f: between,
  integer: between,
  gradient: (g, dy) => {
    const f = formula(g);
    return f.select(f.equal(f.x, f.y), dy, 0);
  },
  tolerance: { kind: "exact" },
});
