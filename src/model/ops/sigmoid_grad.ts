import { unaryGradOp } from "./shared/unary.js";

/** dx = dy * y * (1 - y). */
export const sigmoidGrad = unaryGradOp({
  name: "sigmoid_grad",
  summary: "gradient of sigmoid",
  f: (dy, y) => dy * y * (1 - y),
  // One subtraction and two products.
  tolerance: { kind: "roundings", count: 3 },
});
