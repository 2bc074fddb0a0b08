import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, showType } from "./shared/checks.js";
import { gather } from "./shared/nd.js";

const attrs = z.strictObject({ begin: z.array(z.int().nonnegative()), size: z.array(z.int().gte(-1)) });
export type SliceAttrs = z.infer<typeof attrs>;

/** size[i] elements from begin[i] on each axis; size -1 takes all to the end, as it must on the batch axis. */
function infer([x]: readonly TensorType[], { begin, size }: SliceAttrs): TensorType[] {
  const { shape, batchAxis } = x!;
  if (begin.length !== shape.length || size.length !== shape.length) {
    throw new IdapError(
      "E_RANK",
      `slice: begin [${begin}] and size [${size}] need one entry for each axis of ${showType(x)}`,
    );
  }
  if (batchAxis !== null && (begin[batchAxis] !== 0 || size[batchAxis] !== -1)) {
    throw new IdapError("E_BATCH", `slice: the batch axis of ${showType(x)} must be taken whole (begin 0, size -1)`);
  }
  const out = shape.map((d, axis) => {
    const n = size[axis] === -1 ? d - begin[axis]! : size[axis]!;
    if (n < 1 || begin[axis]! + n > d) {
      throw new IdapError(
        "E_RANGE",
        `slice: begin ${begin[axis]} and size ${size[axis]} leave axis ${axis} of ${showType(x)}`,
      );
    }
    return n;
  });
  return [{ ...x!, shape: out }];
}

/** A box of x with step 1. ONNX `Slice`, `Split`; TFLite `SLICE`, `STRIDED_SLICE`, `SPLIT`; Keras `Cropping2D`. */
export const slice = defineOp<SliceAttrs>({
  name: "slice",
  summary: "a contiguous box of the input",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { begin }) {
    const to = c.outputTypes[0]!.shape;
    c.inputTypes[0]!.shape.forEach((d, axis) => {
      if (to[axis] === d) c.tie(c.input(0, axis), c.output(0, axis));
      else c.tieMap(c.output(0, axis), c.input(0, axis), (i) => i + begin[axis]!);
    });
  },
  cut(c, a) {
    return {
      begin: a.begin.map((b, axis) => c.keptInput(0, axis).filter((i) => i < b).length),
      size: a.size.map((n, axis) => (n === -1 ? -1 : c.keptOutput(0, axis).length)),
    };
  },
  cost: (_, outputs) => ({ macs: 0, bytes: 2 * moved([], outputs) }),
  reference: ([x], { begin }, [shape]) => [gather(x!, shape!, (index) => index.map((i, k) => i + begin[k]!))],
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy || !g.wanted[0]) return [null];
    const from = g.inputTypes[0]!.shape;
    const after = g.outputTypes[0]!.shape.map((d, axis) => from[axis]! - g.attrs.begin[axis]! - d);
    return [g.emit("pad", [dy], { before: g.attrs.begin, after, value: 0 })[0]!];
  },
  tolerance: () => ({ kind: "exact" }),
});
