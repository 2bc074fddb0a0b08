import { sizeOf } from "../../model/types.js";
import { defineCalls, type Operand } from "../define-calls.js";
import { callBinary } from "./binary.js";
import { callUnary } from "./unary.js";

/** Constant exponents that need products or a quotient only. */
const SIMPLE: ReadonlyMap<number, string> = new Map([
  [2, "square"],
  [3, "cube"],
  [-1, "reciprocal"],
]);

/** a^b; the usual constant exponents by kernels of their own. */
export const pow = defineCalls({
  ops: ["pow"],
  inPlace: true,
  calls(context) {
    const [a, b] = context.inputs as [Operand, Operand];
    const [y] = context.outputs;
    const exponent = context.constant(1);
    const simple = exponent?.length === 1 ? SIMPLE.get(Number(exponent[0])) : undefined;
    if (a.dtype !== "f32") callBinary(context, "pow_i32", a, b, y!);
    else if (simple !== undefined && sizeOf(a.shape) === sizeOf(y!.shape)) {
      callUnary(context, simple, { ...a, shape: y!.shape, strides: padded(a, y!) }, y!);
    } else callBinary(context, "pow", a, b, y!);
  },
});

/** Strides of an operand with as many elements as y over the axes of y. */
function padded(a: Operand, y: Operand): number[] {
  return [...y.shape.slice(a.shape.length).map(() => 0), ...a.strides];
}
