import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, showType } from "./shared/checks.js";
import { visitIndices } from "./shared/nd.js";
import { zeros } from "./shared/taps.js";

const widths = z.array(z.int().nonnegative());
const attrs = z.strictObject({ before: widths, after: widths, value: z.number() });
export type PadAttrs = z.infer<typeof attrs>;

/** Every axis grows by before + after; the batch axis must not. */
function infer([x]: readonly TensorType[], { before, after }: PadAttrs): TensorType[] {
  const rank = x!.shape.length;
  if (before.length !== rank || after.length !== rank) {
    throw new IdapError(
      "E_RANK",
      `pad: before [${before}] and after [${after}] need one entry for each axis of ${showType(x)}`,
    );
  }
  const batch = x!.batchAxis;
  if (batch !== null && before[batch]! + after[batch]! > 0) {
    throw new IdapError("E_BATCH", `pad: the batch axis of ${showType(x)} cannot be padded`);
  }
  return [{ ...x!, shape: x!.shape.map((d, i) => d + before[i]! + after[i]!) }];
}

/** Surrounds x with a constant. ONNX `Pad` (mode constant), TFLite `PAD` and `PADV2`, Keras `ZeroPadding2D`. */
export const pad = defineOp<PadAttrs>({
  name: "pad",
  summary: "constant padding on any axis",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { before, after }) {
    before.forEach((shift, axis) => {
      if (shift + after[axis]! === 0) c.tie(c.input(0, axis), c.output(0, axis));
      // Padded channels (a shortcut that widens by zeros) are cuttable by themselves; the rest follow the input.
      else c.tieMap(c.input(0, axis), c.output(0, axis), (i) => i + shift);
    });
  },
  cut(c, a) {
    const before: number[] = [];
    const after: number[] = [];
    c.inputTypes[0]!.shape.forEach((d, axis) => {
      const shift = a.before[axis]!;
      const kept = c.keptOutput(0, axis);
      before.push(kept.filter((i) => i < shift).length);
      after.push(kept.filter((i) => i >= shift + d).length);
    });
    return { ...a, before, after };
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], { before, value }, [shape]) {
    const y = zeros(shape!);
    visitIndices(shape!, (index, flat) => {
      let p = 0;
      for (let k = 0; k < index.length; k++) {
        const i = index[k]! - before[k]!;
        if (i < 0 || i >= x!.shape[k]!) {
          y[flat] = value;
          return;
        }
        p = p * x!.shape[k]! + i;
      }
      y[flat] = x!.data[p]!;
    });
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy || !g.wanted[0]) return [null];
    const { shape, batchAxis } = g.inputTypes[0]!;
    const size = shape.map((d, axis) => (axis === batchAxis ? -1 : d));
    return [g.emit("slice", [dy], { begin: g.attrs.before, size })[0]!];
  },
  tolerance: () => ({ kind: "exact" }),
});
