import { unaryOp } from "./shared/unary.js";

/** y = max(x, 0). ONNX `Relu`, TFLite `RELU`. */
export const relu = unaryOp({
  name: "relu",
  summary: "max(x, 0)",
  f: (x) => (x > 0 ? x : 0),
  gradient: "operator",
  tolerance: { kind: "exact" },
});
