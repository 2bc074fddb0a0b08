import { unaryOp } from "./shared/unary.js";

/** y = min(max(x, 0), 6). ONNX `Clip` with 0 and 6, TFLite `RELU6`. */
export const relu6 = unaryOp({
  name: "relu6",
  summary: "min(max(x, 0), 6)",
  f: (x) => Math.min(x > 0 ? x : 0, 6),
  gradient: "operator",
  tolerance: { kind: "exact" },
});
