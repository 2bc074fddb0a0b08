import { defineCalls } from "../define-calls.js";
import { callUnary } from "./unary.js";

/** gelu in its two forms. */
export const gelu = defineCalls({
  ops: ["gelu"],
  inPlace: true,
  calls(context) {
    const kernel = context.attrs.approximate === "none" ? "gelu" : "gelu_tanh";
    callUnary(context, kernel, context.inputs[0]!, context.outputs[0]!);
  },
});
