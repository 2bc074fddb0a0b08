import { copyBox } from "../copies.js";
import { defineCalls } from "../define-calls.js";
import { broadcastStrides } from "../strided.js";

export const broadcastTo = defineCalls({
  ops: ["broadcast_to"],
  calls({ inputs: [x], outputs: [y], call }) {
    copyBox(call, { address: x!.address, strides: broadcastStrides(x!, y!.shape) }, y!, y!.shape);
  },
});
