import { binaryOp } from "./shared/binary.js";
import { formula } from "./shared/formula.js";
import { floorMod as modulo, int32 } from "./shared/integer.js";

/** y = a - floor(a / b) * b: the remainder with the sign of b. ONNX `Mod` of integers, TFLite `FLOOR_MOD`. */
export const floorMod = binaryOp({
  name: "floor_mod",
  summary: "remainder with the sign of the divisor",
  f: modulo,
  integer: int32.floorMod,
  gradient: [
    (_, dy) => dy,
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.neg(f.mul(dy, f.div(f.sub(a, f.y), b)));
    },
  ],
  // The remainder of the truncated quotient is exact; where signs differ, b is added. Relative to |b|.
  tolerance: { kind: "roundings", count: 1 },
});
