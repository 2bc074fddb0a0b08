import type { z } from "zod";
import type { Coupling } from "../../coupling.js";
import { defineOp, type NdArray, type OpDef, type Tolerance, type VjpContext } from "../../define-op.js";
import type { TensorType } from "../../types.js";
import { moved, needDtype, needF32, needSame, noAttrs, type NoAttrs } from "./checks.js";

/** Every axis of the input is the same axis of the output. */
export function coupleAll(c: Coupling): void {
  c.inputTypes[0]!.shape.forEach((_, axis) => c.tie(c.input(0, axis), c.output(0, axis)));
}

/** Emits the gradient of x from that of y: names in, name out. */
export type Gradient<A> = (g: VjpContext<A>, dy: string) => string;

/** y = f(x), element by element. */
export function unaryOp<A = NoAttrs>(o: {
  name: string;
  summary: string;
  /** Default: none. */
  attrs?: z.ZodType<A>;
  f: (x: number, attrs: A) => number;
  /** The same on 32-bit integers, where the operator takes them too. */
  integer?: (x: number, attrs: A) => number;
  /** `operator`: a node `<name>_grad` of dy and y; `none`: y is constant almost everywhere. */
  gradient: "operator" | "none" | Gradient<A>;
  tolerance: Tolerance;
}): OpDef<A> {
  const { integer, gradient } = o;
  return defineOp<A>({
    name: o.name,
    summary: o.summary,
    inputs: ["x"],
    outputs: ["y"],
    attrs: o.attrs ?? (noAttrs as unknown as z.ZodType<A>),
    infer([x]: readonly TensorType[]) {
      needDtype(o.name, [x!], integer ? ["f32", "i32"] : ["f32"]);
      return [x!];
    },
    couple: coupleAll,
    cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
    reference([x], a) {
      const f = integer && x!.dtype === "i32" ? integer : o.f;
      return [{ data: x!.data.map((v) => f(v, a)), shape: x!.shape }];
    },
    vjp(g) {
      const dy = g.gradOutputs[0];
      if (!dy || !g.wanted[0] || gradient === "none") return [null];
      if (gradient === "operator") return [g.emit(`${o.name}_grad`, [dy, g.outputs[0]!])[0]!];
      return [gradient(g, dy)];
    },
    tolerance: () => o.tolerance,
  });
}

/** dx = f(dy, y), element by element: the gradient of `unaryOp` written with its result. */
export function unaryGradOp(o: {
  name: string;
  summary: string;
  f: (dy: number, y: number) => number;
  tolerance: Tolerance;
}): OpDef<NoAttrs> {
  return defineOp<NoAttrs>({
    name: o.name,
    summary: o.summary,
    inputs: ["dy", "y"],
    outputs: ["dx"],
    internal: true,
    attrs: noAttrs,
    infer([dy, y]: readonly TensorType[]) {
      needF32(o.name, [dy!, y!]);
      needSame(o.name, dy, y);
      return [y!];
    },
    cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
    reference([dy, y]: readonly NdArray[]) {
      return [{ data: dy!.data.map((d, i) => o.f(d, y!.data[i]!)), shape: y!.shape }];
    },
    tolerance: () => o.tolerance,
  });
}
