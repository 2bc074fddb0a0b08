import { defineOp } from "../define-op.js";
import { moved, needDtype, noAttrs, type NoAttrs } from "./shared/checks.js";
import { coupleAll } from "./shared/unary.js";

/** y = not x. ONNX `Not`, TFLite `LOGICAL_NOT`. */
export const logicalNot = defineOp<NoAttrs>({
  name: "logical_not",
  summary: "not x",
  inputs: ["x"],
  outputs: ["y"],
  attrs: noAttrs,
  infer([x]) {
    needDtype("logical_not", [x!], ["bool"]);
    return [x!];
  },
  couple: coupleAll,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x]) => [{ data: x!.data.map((v) => (v === 0 ? 1 : 0)), shape: x!.shape }],
  vjp: () => [null],
  tolerance: () => ({ kind: "exact" }),
});
