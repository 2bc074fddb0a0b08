import { defineOp, type OpDef, type Tolerance, type VjpContext } from "../../define-op.js";
import type { Dtype } from "../../types.js";
import { broadcastMap, broadcastShape, broadcastTypes, coupleBroadcast, unbroadcast } from "./broadcast.js";
import { moved, needDtype, noAttrs, type NoAttrs } from "./checks.js";

/** Emits the gradient of operand `i` in the shape of the result. */
type Partial = (g: VjpContext<NoAttrs>, dy: string) => string;

/** y = f(a, b) on broadcast operands, f32 or i32. */
export function binaryOp(o: {
  name: string;
  summary: string;
  f: (a: number, b: number) => number;
  integer: (a: number, b: number) => number;
  /** For a and b; null where y does not change with it. */
  gradient: readonly [Partial | null, Partial | null];
  tolerance: Tolerance;
}): OpDef<NoAttrs> {
  return defineOp<NoAttrs>({
    name: o.name,
    summary: o.summary,
    inputs: ["a", "b"],
    outputs: ["y"],
    attrs: noAttrs,
    infer: (inputs) => broadcastTypes(o.name, inputs, ["f32", "i32"]),
    couple: coupleBroadcast,
    cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
    reference: (inputs, _, [shape]) => [broadcastMap(inputs, shape!, inputs[0]!.dtype === "i32" ? o.integer : o.f)],
    vjp(g) {
      const dy = g.gradOutputs[0];
      return o.gradient.map((rule, i) =>
        dy && rule && g.wanted[i] ? unbroadcast(g, rule(g, dy), g.inputTypes[i]!) : null,
      );
    },
    tolerance: () => o.tolerance,
  });
}

/** y = f(a, b) as a truth value, on broadcast operands of one dtype. */
export function predicateOp(o: {
  name: string;
  summary: string;
  dtypes: readonly Dtype[];
  f: (a: number, b: number) => boolean;
}): OpDef<NoAttrs> {
  return defineOp<NoAttrs>({
    name: o.name,
    summary: o.summary,
    inputs: ["a", "b"],
    outputs: ["y"],
    attrs: noAttrs,
    infer(inputs) {
      needDtype(o.name, inputs, o.dtypes);
      return [{ ...broadcastShape(o.name, inputs), dtype: "bool" }];
    },
    couple: coupleBroadcast,
    cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
    reference: (inputs, _, [shape]) => [broadcastMap(inputs, shape!, (a, b) => (o.f(a, b) ? 1 : 0))],
    vjp: () => [null, null],
    tolerance: () => ({ kind: "exact" }),
  });
}

/** What has an order. */
export const ORDERED: readonly Dtype[] = ["f32", "i32", "i8", "u8", "i64"];
