import { defineOp } from "../define-op.js";
import { broadcastMap, broadcastTypes, coupleBroadcast, unbroadcast } from "./shared/broadcast.js";
import { moved, noAttrs, type NoAttrs } from "./shared/checks.js";

/** y = a * b with numpy broadcasting. ONNX `Mul`, TFLite `MUL`, Keras `Multiply`. */
export const mul = defineOp<NoAttrs>({
  name: "mul",
  summary: "a * b with broadcasting",
  inputs: ["a", "b"],
  outputs: ["y"],
  attrs: noAttrs,
  infer: (inputs) => broadcastTypes("mul", inputs),
  couple: coupleBroadcast,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: (inputs, _, [shape]) => [broadcastMap(inputs, shape!, (a, b) => a * b)],
  vjp(g) {
    const dy = g.gradOutputs[0];
    return g.inputTypes.map((t, i) =>
      dy && g.wanted[i] ? unbroadcast(g, g.emit("mul", [dy, g.inputs[1 - i]!])[0]!, t) : null,
    );
  },
  tolerance: () => ({ kind: "roundings", count: 1 }),
});
