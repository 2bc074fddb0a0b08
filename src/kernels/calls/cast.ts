import type { Dtype } from "../../model/types.js";
import { defineCalls } from "../define-calls.js";
import { copyStrided } from "../strided.js";
import { callUnary } from "./unary.js";

/** Integer dtypes whose words hold every 32-bit integer. */
const WIDE: readonly Dtype[] = ["i32", "i64"];

/** Words of another dtype; integers that fit are copied. */
export const cast = defineCalls({
  ops: ["cast"],
  inPlace: true,
  calls(context) {
    const [x] = context.inputs;
    const [y] = context.outputs;
    const kernel = castKernel(x!.dtype, y!.dtype);
    if (kernel) callUnary(context, kernel, x!, y!);
    else copyStrided((name, ...args) => context.call("copy", name, ...args), x!, y!, y!.shape);
  },
});

/** Null where the words are the same. */
function castKernel(from: Dtype, to: Dtype): string | null {
  if (from === to) return null;
  if (to === "f32") return "f32_of_i32";
  const target = WIDE.includes(to) ? "i32" : to;
  if (from === "f32") return `${target}_of_f32`;
  if (target === "i32" || (from === "bool" && target !== "bool")) return null;
  return `${target}_of_i32`;
}
