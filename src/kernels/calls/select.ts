import { defineCalls } from "../define-calls.js";
import { blocks, broadcastStrides } from "../strided.js";

/** Words of a or b, as the condition says. */
export const select = defineCalls({
  ops: ["select"],
  calls({ inputs, outputs: [y], call }) {
    const repeated = inputs.map((x) => ({ address: x.address, strides: broadcastStrides(x, y!.shape) }));
    for (const { extents, addresses, strides } of blocks(y!.shape, [...repeated, y!])) {
      call("select", "select_words", ...addresses, ...extents, ...strides.flat());
    }
  },
});
