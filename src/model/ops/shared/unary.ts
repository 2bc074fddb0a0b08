import type { Coupling } from "../../coupling.js";
import { defineOp, type NdArray, type OpDef, type Tolerance } from "../../define-op.js";
import type { TensorType } from "../../types.js";
import { moved, needF32, needSame, noAttrs, type NoAttrs } from "./checks.js";

/** Every axis of the input is the same axis of the output. */
export function coupleAll(c: Coupling): void {
  c.inputTypes[0]!.shape.forEach((_, axis) => c.tie(c.input(0, axis), c.output(0, axis)));
}

/** y = f(x), element by element; its gradient operator `<name>_grad` takes dy and y. */
export function unaryOp(o: {
  name: string;
  summary: string;
  f: (x: number) => number;
  tolerance: Tolerance;
}): OpDef<NoAttrs> {
  return defineOp<NoAttrs>({
    name: o.name,
    summary: o.summary,
    inputs: ["x"],
    outputs: ["y"],
    attrs: noAttrs,
    infer([x]: readonly TensorType[]) {
      needF32(o.name, [x!]);
      return [x!];
    },
    couple: coupleAll,
    cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
    reference: ([x]) => [{ data: x!.data.map(o.f), shape: x!.shape }],
    vjp(g) {
      const dy = g.gradOutputs[0];
      return [dy && g.wanted[0] ? g.emit(`${o.name}_grad`, [dy, g.outputs[0]!])[0]! : null];
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
