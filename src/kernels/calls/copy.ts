import { defineCalls } from "../define-calls.js";
import { copyStrided } from "../strided.js";

/** A tensor at another place: what the emitter puts where a constant has to be a tensor like any other. */
export const copy = defineCalls({
  ops: ["copy"],
  calls({ inputs: [x], outputs: [y], call }) {
    copyStrided((kernel, ...args) => call("copy", kernel, ...args), x!, y!, y!.shape);
  },
});
