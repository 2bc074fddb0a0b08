import { defineCalls, type CallContext, type Operand } from "../define-calls.js";
import { blocks, broadcastStrides } from "../strided.js";

/** Calls `kernel` of `binary.ts` for every block of y, with a and b repeated where they have to be. */
export function callBinary(
  { call }: Pick<CallContext, "call">,
  kernel: string,
  a: Operand,
  b: Operand,
  y: Operand,
): void {
  const repeated = [a, b].map((x) => ({ address: x.address, strides: broadcastStrides(x, y.shape) }));
  for (const { extents, addresses, strides } of blocks(y.shape, [...repeated, y])) {
    call("binary", `binary_${kernel}`, ...addresses, ...extents, ...strides.flat());
  }
}

/** y = f(a, b) by the kernel of the operator's name; of f32, add and mul have code of their own. */
export const binary = defineCalls({
  ops: ["add", "div", "floor_div", "floor_mod", "max", "min", "mod_trunc", "mul", "prelu", "sub"],
  inPlace: true,
  calls(context) {
    const { op, inputs, outputs } = context;
    const [a, b] = inputs as [Operand, Operand];
    callBinary(context, a.dtype === "f32" ? op : `${op}_i32`, a, b, outputs[0]!);
  },
});
