import { binaryOp } from "./shared/binary.js";
import { int32 } from "./shared/integer.js";

/** y = a * b with numpy broadcasting. ONNX `Mul`, TFLite `MUL`, Keras `Multiply`. */
export const mul = binaryOp({
  name: "mul",
  summary: "a * b with broadcasting",
  f: (a, b) => a * b,
  integer: int32.mul,
  gradient: [(g, dy) => g.emit("mul", [dy, g.inputs[1]!])[0]!, (g, dy) => g.emit("mul", [dy, g.inputs[0]!])[0]!],
  tolerance: { kind: "roundings", count: 1 },
});
