import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";

/** Over [a..., i..., b...]: x stands still along the axes of the indices, the indices along those of x. */
export const gather = defineCalls({
  ops: ["gather"],
  calls({ attrs, inputs, outputs: [y], call }) {
    const [x, indices] = [inputs[0]!, inputs[1]!];
    const axis = attrs.axis as number;
    const [before, after] = [x.strides.slice(0, axis), x.strides.slice(axis + 1)];
    const still = (strides: readonly number[]): number[] => strides.map(() => 0);
    const places = {
      address: indices.address,
      strides: [...still(before), ...indices.strides, ...still(after)],
    };
    const from = { address: x.address, strides: [...before, ...still(indices.strides), ...after] };
    for (const { extents, addresses, strides } of blocks(y!.shape, [from, places, y!])) {
      call("gather", "gather_strided", ...addresses, x.strides[axis]!, x.shape[axis]!, ...extents, ...strides.flat());
    }
  },
});
