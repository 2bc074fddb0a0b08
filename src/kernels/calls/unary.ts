import type { CallContext, Operand } from "../define-calls.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";

/** Calls `kernel` of `unary.ts` for every block of y. */
export function callUnary(
  { call }: Pick<CallContext, "call">,
  kernel: string,
  x: Operand,
  y: Operand,
  a = 0,
  b = 0,
): void {
  for (const { extents, addresses, strides } of blocks(y.shape, [x, y])) {
    call("unary", `unary_${kernel}`, addresses[0]!, addresses[1]!, ...extents, ...strides[0]!, ...strides[1]!, a, b);
  }
}

/** The two numbers that a kernel takes from the attributes. */
function parameters(attrs: CallContext["attrs"]): [number?, number?] {
  const a = attrs as { alpha?: number; beta?: number; gamma?: number };
  return [a.alpha, a.beta ?? a.gamma];
}

/** y = f(x) by the kernel of the operator's name. */
export const unary = defineCalls({
  ops: [
    "abs",
    "ceil",
    "cos",
    "elu",
    "erf",
    "exp",
    "floor",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "log",
    "neg",
    "reciprocal",
    "round",
    "rsqrt",
    "selu",
    "sign",
    "silu",
    "sin",
    "softplus",
    "softsign",
    "sqrt",
    "tanh",
  ],
  inPlace: true,
  calls(context) {
    const { op, attrs, inputs, outputs } = context;
    const kernel = inputs[0]!.dtype === "f32" ? op : `${op}_i32`;
    callUnary(context, kernel, inputs[0]!, outputs[0]!, ...parameters(attrs));
  },
});
