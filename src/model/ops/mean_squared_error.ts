import { defineOp } from "../define-op.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needSame, noAttrs, type NoAttrs } from "./shared/checks.js";

/** loss = mean over all elements of all samples of (a - b)^2. */
export const meanSquaredError = defineOp<NoAttrs>({
  name: "mean_squared_error",
  summary: "mean of (a - b)^2 over all elements",
  inputs: ["a", "b"],
  outputs: ["loss"],
  internal: true,
  attrs: noAttrs,
  infer([a, b]: readonly TensorType[]) {
    needF32("mean_squared_error", [a!, b!]);
    needSame("mean_squared_error", a, b);
    return [{ dtype: "f32", shape: [], batchAxis: null }];
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([a, b]) {
    let sum = 0;
    for (let i = 0; i < a!.data.length; i++) sum += (a!.data[i]! - b!.data[i]!) ** 2;
    return [{ data: new Float64Array([sum / a!.data.length]), shape: [] }];
  },
  vjp(g) {
    const dloss = g.gradOutputs[0];
    const [a, b] = g.inputs as [string, string];
    // The gradient of b is that of a with the operands exchanged.
    const grad = (p: string, q: string): string => g.emit("mean_squared_error_grad", [dloss!, p, q])[0]!;
    return [dloss && g.wanted[0] ? grad(a, b) : null, dloss && g.wanted[1] ? grad(b, a) : null];
  },
  // The difference twice, the square, the additions, the mean. Types at the batch that runs.
  tolerance: ([a]) => ({ kind: "roundings", count: sizeOf(a!.shape) + 4 }),
});
