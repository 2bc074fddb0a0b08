import { outside, without } from "../copies.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";
import { isInteger } from "../../model/words.js";

export const argReduce = defineCalls({
  ops: ["arg_reduce"],
  calls({ attrs, inputs: [x], outputs: [y], call }) {
    const { axis, keepDims, kind, last } = attrs as { axis: number; keepDims: boolean; kind: string; last: boolean };
    const options = [isInteger(x!.dtype), kind === "min", last].map(Number);
    const to = keepDims ? outside(y!, axis) : y!;
    for (const { extents, addresses, strides } of blocks(without(x!.shape, axis), [outside(x!, axis), to])) {
      const run = [x!.shape[axis]!, x!.strides[axis]!];
      call("order", "arg_strided", ...options, ...addresses, ...run, ...extents, ...strides.flat());
    }
  },
});
