import { unaryOp } from "./shared/unary.js";

/** y = -x. ONNX `Neg`, TFLite `NEG`. */
export const neg = unaryOp({
  name: "neg",
  summary: "-x",
  f: (x) => -x,
  integer: (x) => -x | 0,
  gradient: (g, dy) => g.emit("neg", [dy])[0]!,
  tolerance: { kind: "exact" },
});
