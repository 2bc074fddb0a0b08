import { copyBox } from "../copies.js";
import { defineCalls } from "../define-calls.js";

/** Each axis of y as (copy, index): x stands still along the copies. */
export const tile = defineCalls({
  ops: ["tile"],
  calls({ attrs, inputs: [x], outputs: [y], call }) {
    const { repeats } = attrs as { repeats: number[] };
    const pairs = <T>(outer: (axis: number) => T, inner: (axis: number) => T): T[] =>
      repeats.flatMap((_, axis) => [outer(axis), inner(axis)]);
    const extent = (axis: number): number => x!.shape[axis]!;
    const from = { address: x!.address, strides: pairs(() => 0, (axis) => x!.strides[axis]!) }; // prettier-ignore
    const to = {
      address: y!.address,
      strides: pairs(
        (axis) => extent(axis) * y!.strides[axis]!,
        (axis) => y!.strides[axis]!,
      ),
    };
    const shape = pairs((axis) => repeats[axis]!, extent);
    copyBox(call, from, to, shape);
  },
});
