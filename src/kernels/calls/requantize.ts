import type { RequantizeAttrs } from "../../model/ops/requantize.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";

/** Bytes of an entry of the table that the kernel reads: {multiplier, bits to the left, bits to the right, unused}. */
const ENTRY = 16;

/** Sums of integers in another scale. */
export const requantize = defineCalls({
  ops: ["requantize"],
  inPlace: true,
  calls({ attrs, inputs: [x], outputs: [y], table, call }) {
    const { multiplier, shift, headroom, rounding, low, high } = attrs as unknown as RequantizeAttrs;
    const words = multiplier.flatMap((m, i) => [m, headroom + Math.max(shift[i]!, 0), Math.max(-shift[i]!, 0), 0]);
    const along = multiplier.length > 1 ? y!.shape.length - 1 : null;
    const strides = y!.shape.map((_, axis) => (axis === along ? ENTRY : 0));
    const entries = { address: table(Int32Array.from(words)), strides };
    const kinds = [Number(x!.dtype === "f32"), Number(y!.dtype === "f32"), Number(rounding === "once")];
    for (const { extents, addresses, strides: s } of blocks(y!.shape, [x!, entries, y!])) {
      call("requantize", "requantize_words", ...addresses, ...extents, ...s.flat(), low, high, ...kinds);
    }
  },
});
