import { copyBox } from "../copies.js";
import { defineCalls } from "../define-calls.js";

export const slice = defineCalls({
  ops: ["slice"],
  calls({ attrs, inputs: [x], outputs: [y], call }) {
    const { begin, steps = begin.map(() => 1) } = attrs as { begin: number[]; steps?: number[] };
    const address = begin.reduce((at, b, axis) => at + b * x!.strides[axis]!, x!.address);
    copyBox(call, { address, strides: steps.map((s, axis) => s * x!.strides[axis]!) }, y!, y!.shape);
  },
});
