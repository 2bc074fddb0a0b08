import type { VjpContext } from "../define-op.js";
import { reshapeTarget } from "./shared/broadcast.js";
import { reducedType, reduceOp, type ReduceAttrs } from "./shared/reduce.js";

/**
 * dx_i = dy * product of the others: the product of all that are not 0, divided by x_i unless it is 0; nothing where
 * there is a 0 among the others.
 */
function gradient(g: VjpContext<ReduceAttrs>, dy: string): string {
  const [x] = g.inputs as [string];
  const kept = { ...g.attrs, keepDims: true };
  const emit = (op: string, inputs: string[], attrs = {}): string => g.emit(op, inputs, attrs)[0]!;
  const [none, one] = [0, 1].map((v) => g.constant([1], Float32Array.of(v))) as [string, string];
  const isZero = emit("equal", [x, none]);
  const factors = emit("select", [isZero, one, x]);
  const others = emit("div", [emit("reduce_prod", [factors], kept), factors]);
  const zeros = emit("cast", [isZero], { to: "f32" });
  const otherZeros = emit("sub", [emit("reduce_sum", [zeros], kept), zeros]);
  const product = emit("select", [emit("equal", [otherZeros, none]), others, none]);
  return emit("mul", [emit("reshape", [dy], { shape: reshapeTarget(reducedType(g.inputTypes[0]!, kept)) }), product]);
}

/** Product over axes. ONNX `ReduceProd`, TFLite `REDUCE_PROD`. */
export const reduceProd = reduceOp({
  name: "reduce_prod",
  summary: "product over axes",
  start: 1,
  join: (total, x) => total * x,
  joinIntegers: Math.imul,
  end: (total) => total,
  vjp: gradient,
  // count - 1 products, in any order.
  tolerance: (count) => ({ kind: "roundings", count: count - 1 }),
});
