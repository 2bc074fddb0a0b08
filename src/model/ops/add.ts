import { defineOp } from "../define-op.js";
import { broadcastMap, broadcastTypes, coupleBroadcast, unbroadcast } from "./shared/broadcast.js";
import { moved, noAttrs, type NoAttrs } from "./shared/checks.js";

/** y = a + b with numpy broadcasting. ONNX `Add`, TFLite `ADD`, Keras `Add`. */
export const add = defineOp<NoAttrs>({
  name: "add",
  summary: "a + b with broadcasting",
  inputs: ["a", "b"],
  outputs: ["y"],
  attrs: noAttrs,
  infer: (inputs) => broadcastTypes("add", inputs),
  couple: coupleBroadcast,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: (inputs, _, [shape]) => [broadcastMap(inputs, shape!, (a, b) => a + b)],
  vjp(g) {
    const dy = g.gradOutputs[0];
    return g.inputTypes.map((t, i) => (dy && g.wanted[i] ? unbroadcast(g, dy, t) : null));
  },
  tolerance: () => ({ kind: "roundings", count: 1 }),
});
