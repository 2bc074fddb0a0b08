import { binaryOp } from "./shared/binary.js";
import { int32 } from "./shared/integer.js";

/** y = a - b with numpy broadcasting. ONNX `Sub`, TFLite `SUB`, Keras `Subtract`. */
export const sub = binaryOp({
  name: "sub",
  summary: "a - b with broadcasting",
  f: (a, b) => a - b,
  integer: int32.sub,
  gradient: [(_, dy) => dy, (g, dy) => g.emit("neg", [dy])[0]!],
  tolerance: { kind: "roundings", count: 1 },
});
