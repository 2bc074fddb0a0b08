import { unaryGradOp } from "./shared/unary.js";

/** dx = dy where y > 0, else 0. */
export const reluGrad = unaryGradOp({
  name: "relu_grad",
  summary: "gradient of relu",
  f: (dy, y) => (y > 0 ? dy : 0),
  tolerance: { kind: "exact" },
});
