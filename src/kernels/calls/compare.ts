import { defineCalls, type Operand } from "../define-calls.js";
import { callBinary } from "./binary.js";

/** Kernels of the same name, but for those that exchange the operands. */
const EXCHANGED: Readonly<Record<string, string>> = { greater: "less", greater_equal: "less_equal" };

/** Whether a and b stand in a relation, as words 0 and 1. */
export const compare = defineCalls({
  ops: ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"],
  inPlace: true,
  calls(context) {
    const { op, inputs, outputs } = context;
    const [a, b] = inputs as [Operand, Operand];
    const other = EXCHANGED[op];
    const kernel = a.dtype === "f32" ? (other ?? op) : `${other ?? op}_i32`;
    callBinary(context, kernel, other ? b : a, other ? a : b, outputs[0]!);
  },
});
