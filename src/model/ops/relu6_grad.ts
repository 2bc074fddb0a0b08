import { unaryGradOp } from "./shared/unary.js";

/** dx = dy where 0 < y < 6, else 0. */
export const relu6Grad = unaryGradOp({
  name: "relu6_grad",
  summary: "gradient of relu6",
  f: (dy, y) => (y > 0 && y < 6 ? dy : 0),
  tolerance: { kind: "exact" },
});
