import { z } from "zod";
import { defineOp } from "../define-op.js";
import { moved } from "./shared/checks.js";
import { couplePool, poolGeometry, poolType } from "./shared/pool.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject(poolGeometry);
export type MaxPool2dAttrs = z.infer<typeof attrs>;

/** Maximum of each window; padding never wins. ONNX `MaxPool`, TFLite `MAX_POOL_2D`, Keras `MaxPooling2D`. */
export const maxPool2d = defineOp<MaxPool2dAttrs>({
  name: "max_pool2d",
  summary: "maximum of each window",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer: ([x], a) => [poolType("max_pool2d", x, a)],
  couple: couplePool,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], a, [shape]) {
    const c = x!.shape[3]!;
    const y = zeros(shape!).fill(-Infinity);
    visitTaps(x!.shape, shape!, a.kernel, a, (p, q) => {
      for (let k = 0; k < c; k++) y[q * c + k] = Math.max(y[q * c + k]!, x!.data[p * c + k]!);
    });
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? g.emit("max_pool2d_grad", [dy, g.inputs[0]!, g.outputs[0]!], g.attrs)[0]! : null];
  },
  tolerance: () => ({ kind: "exact" }),
});
