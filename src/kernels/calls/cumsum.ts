import { without } from "../copies.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";
import { isInteger } from "../../model/words.js";

export const cumsum = defineCalls({
  ops: ["cumsum"],
  calls({ attrs, inputs: [x], outputs: [y], call }) {
    const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
    const m = x!.shape[axis]!;
    const operands = [x!, y!].map(({ address, strides }) => ({
      address: address + (reverse ? (m - 1) * strides[axis]! : 0),
      strides: without(strides, axis),
    }));
    const steps = [x!, y!].map(({ strides }) => (reverse ? -strides[axis]! : strides[axis]!));
    const options = [Number(isInteger(x!.dtype)), Number(exclusive)];
    for (const { extents, addresses, strides } of blocks(without(x!.shape, axis), operands)) {
      call("fold", "cumsum_strided", ...options, ...addresses, m, ...steps, ...extents, ...strides.flat());
    }
  },
});
