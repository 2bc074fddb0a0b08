import { binaryOp } from "./shared/binary.js";
import { formula } from "./shared/formula.js";
import { int32 } from "./shared/integer.js";

/** Unlike the language's operator, 1 for the base 1 (and for -1 with an infinite exponent) whatever the exponent. */
const power = (a: number, b: number): number => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

/** y = a^b as C's `pow` has it: 1^b is 1 for every b. ONNX `Pow`, TFLite `POW`. */
export const pow = binaryOp({
  name: "pow",
  summary: "a^b with broadcasting",
  f: power,
  integer: int32.pow,
  gradient: [
    (g, dy) => {
      const f = formula(g);
      const [a, b] = g.inputs as [string, string];
      return f.mul(dy, f.mul(b, f.pow(a, f.sub(b, 1))));
    },
    (g, dy) => {
      const f = formula(g);
      const [a] = g.inputs as [string];
      return f.mul(dy, f.mul(f.y, f.log(a)));
    },
  ],
  // Evaluated in f64 and rounded; the constant exponent 3 takes two products.
  tolerance: { kind: "roundings", count: 2 },
});
