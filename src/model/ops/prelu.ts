import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sameShape, type TensorType } from "../types.js";
import { broadcastMap, broadcastTypes, coupleBroadcast, unbroadcast } from "./shared/broadcast.js";
import { moved, noAttrs, showType, type NoAttrs } from "./shared/checks.js";
import { formula } from "./shared/formula.js";

/** The slope broadcasts to x, never the other way round. */
function infer([x, slope]: readonly TensorType[]): TensorType[] {
  const [y] = broadcastTypes("prelu", [x!, slope!]);
  if (!sameShape(y!.shape, x!.shape) || y!.batchAxis !== x!.batchAxis) {
    throw new IdapError("E_BROADCAST", `prelu: the slope ${showType(slope)} does not broadcast to ${showType(x)}`);
  }
  return [y!];
}

/** y = x above 0, slope * x below, the slope learned for each channel. ONNX `PRelu`, TFLite `PRELU`. */
export const prelu = defineOp<NoAttrs>({
  name: "prelu",
  summary: "x, or slope * x below 0, with learned slopes",
  inputs: ["x", "slope"],
  outputs: ["y"],
  params: [1],
  attrs: noAttrs,
  infer,
  couple: coupleBroadcast,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: (inputs, _, [shape]) => [broadcastMap(inputs, shape!, (x, slope) => (x > 0 ? x : x * slope))],
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy) return [null, null];
    const f = formula(g);
    const [x, slope] = g.inputs as [string, string];
    const above = f.greater(x, 0);
    return [
      g.wanted[0] ? f.select(above, dy, f.mul(dy, slope)) : null,
      g.wanted[1] ? unbroadcast(g, f.select(above, 0, f.mul(dy, x)), g.inputTypes[1]!) : null,
    ];
  },
  tolerance: () => ({ kind: "roundings", count: 1 }),
});
