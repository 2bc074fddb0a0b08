import { binaryOp } from "./shared/binary.js";
import { int32 } from "./shared/integer.js";

/** y = a + b with numpy broadcasting. ONNX `Add`, TFLite `ADD`, Keras `Add`. */
export const add = binaryOp({
  name: "add",
  summary: "a + b with broadcasting",
  f: (a, b) => a + b,
  integer: int32.add,
  gradient: [(_, dy) => dy, (_, dy) => dy],
  tolerance: { kind: "roundings", count: 1 },
});
