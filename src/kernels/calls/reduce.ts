import { fillAll } from "../copies.js";
import { defineCalls } from "../define-calls.js";
import { blocks, reducedStrides } from "../strided.js";
import { isInteger } from "../../model/words.js";

/** Codes of assembly/kernels/fold.ts and what a fold starts from, in f32 and in i32. */
const FOLDS: Readonly<Record<string, readonly [code: number, real: number, integer: number]>> = {
  reduce_sum: [0, 0, 0],
  reduce_max: [1, -Infinity, -(2 ** 31)],
  reduce_min: [2, Infinity, 2 ** 31 - 1],
  reduce_prod: [3, 1, 1],
};

/** In any dtype; those of f32 that are met most have code of their own on host and device. */
export const reduce = defineCalls({
  ops: Object.keys(FOLDS),
  calls(context) {
    const { op, attrs, inputs, outputs, call } = context;
    const [x, y] = [inputs[0]!, outputs[0]!];
    const [code, real, integer] = FOLDS[op]!;
    const integers = isInteger(x.dtype);
    fillAll(context, y, integers ? integer : real);
    const into = { address: y.address, strides: reducedStrides(y, x.shape.length, attrs.axes as number[]) };
    for (const { extents, addresses, strides } of blocks(x.shape, [x, into])) {
      call("fold", "fold_words", code, Number(integers), ...addresses, ...extents, ...strides.flat());
    }
  },
});
