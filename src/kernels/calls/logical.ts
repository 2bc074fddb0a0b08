import { defineCalls } from "../define-calls.js";
import { callBinary } from "./binary.js";
import { callUnary } from "./unary.js";

/** Words that are 0 or 1. */
export const logical = defineCalls({
  ops: ["logical_and", "logical_not", "logical_or", "logical_xor"],
  inPlace: true,
  calls(context) {
    const [a, b] = context.inputs;
    const [y] = context.outputs;
    const kernel = context.op.slice("logical_".length);
    if (b) callBinary(context, kernel, a!, b, y!);
    else callUnary(context, kernel, a!, y!);
  },
});
