import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { broadcastMap, broadcastShape, coupleBroadcast, unbroadcast } from "./shared/broadcast.js";
import { moved, needDtype, noAttrs, type NoAttrs } from "./shared/checks.js";
import { formula } from "./shared/formula.js";

/** Operands a and b have one dtype, which is that of the result; the condition is bool. */
function infer([condition, a, b]: readonly TensorType[]): TensorType[] {
  needDtype("select", [condition!], ["bool"]);
  needDtype("select", [a!, b!], [a!.dtype]);
  return [{ ...broadcastShape("select", [condition!, a!, b!]), dtype: a!.dtype }];
}

/** y = a where the condition holds, b elsewhere, with numpy broadcasting. ONNX `Where`, TFLite `SELECT` and `SELECT_V2`. */
export const select = defineOp<NoAttrs>({
  name: "select",
  summary: "a where the condition holds, else b, with broadcasting",
  inputs: ["condition", "a", "b"],
  outputs: ["y"],
  attrs: noAttrs,
  infer,
  couple: coupleBroadcast,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: (inputs, _, [shape]) => [broadcastMap(inputs, shape!, (condition, a, b) => (condition === 0 ? b : a))],
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy) return [null, null, null];
    const f = formula(g);
    const [condition] = g.inputs as [string];
    const [, a, b] = g.inputTypes;
    return [
      null,
      g.wanted[1] ? unbroadcast(g, f.select(condition, dy, 0), a!) : null,
      g.wanted[2] ? unbroadcast(g, f.select(condition, 0, dy), b!) : null,
    ];
  },
  tolerance: () => ({ kind: "exact" }),
});
