import { defineCalls } from "../define-calls.js";
import { callUnary } from "./unary.js";

const LOWEST = -(2 ** 31);

/** min(max(x, min), max); a missing bound is the end of the range. */
export const clip = defineCalls({
  ops: ["clip"],
  inPlace: true,
  calls(context) {
    const { min, max } = context.attrs as { min: number | null; max: number | null };
    const [x] = context.inputs;
    const [y] = context.outputs;
    if (x!.dtype === "f32") callUnary(context, "clip", x!, y!, min ?? -Infinity, max ?? Infinity);
    else callUnary(context, "clip_i32", x!, y!, bound(min, LOWEST), bound(max, -LOWEST - 1));
  },
});

/** A bound as a 32-bit integer. */
function bound(value: number | null, otherwise: number): number {
  return Math.min(Math.max(value ?? otherwise, LOWEST), -LOWEST - 1);
}
