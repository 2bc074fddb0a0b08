import { binaryOp } from "./shared/binary.js";
import { formula } from "./shared/formula.js";
import { int32 } from "./shared/integer.js";

/** y = a - trunc(a / b) * b: the remainder with the sign of a (C's `fmod`). ONNX `Mod` with fmod = 1. */
export const modTrunc = binaryOp({
  name: "mod_trunc",
  summary: "remainder with the sign of the dividend",
  f: (a, b) => a % b,
  integer: int32.mod,
  gradient: [
    (_, dy) => dy,
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.neg(f.mul(dy, f.div(f.sub(a, f.y), b)));
    },
  ],
  tolerance: { kind: "exact" },
});
