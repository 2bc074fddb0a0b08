import { outside, without } from "../copies.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";
import { isInteger } from "../../model/words.js";

export const topK = defineCalls({
  ops: ["top_k"],
  calls({ attrs, inputs: [x], outputs: [values, indices], call }) {
    const { axis, k, largest } = attrs as { axis: number; k: number; largest: boolean };
    const operands = [x!, values!, indices!];
    const all = blocks(
      without(x!.shape, axis),
      operands.map((operand) => outside(operand, axis)),
    );
    for (const { extents, addresses, strides } of all) {
      const run = [x!.shape[axis]!, ...operands.map((operand) => operand.strides[axis]!)];
      const options = [Number(isInteger(x!.dtype)), Number(!largest), k];
      call("order", "top_k_strided", ...options, ...addresses, ...run, ...extents, ...strides.flat());
    }
  },
});
