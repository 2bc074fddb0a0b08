import { z } from "zod";
import type { VjpContext } from "../define-op.js";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { axisMapGradient, picking } from "./shared/axis-map.js";
import { moved, showType } from "./shared/checks.js";
import { gather, visitIndices } from "./shared/nd.js";
import { PAD_MODES, padSource } from "./shared/pad-modes.js";
import { zeros } from "./shared/taps.js";

const widths = z.array(z.int().nonnegative());
const attrs = z.strictObject({
  before: widths,
  after: widths,
  /** Of mode "constant". */
  value: z.number(),
  /** Absent: "constant". */
  mode: z.enum(PAD_MODES).optional(),
});
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

/** For each index of a padded axis the one that it repeats. */
function sources({ before, after, mode = "constant" }: PadAttrs, axis: number, extent: number): number[] {
  const shift = before[axis]!;
  return Array.from({ length: shift + extent + after[axis]! }, (_, i) =>
    mode === "constant" ? i - shift : padSource(mode, extent, i - shift),
  );
}

/** The inner box of dy; where padding repeats x, its gradient is added, axis by axis. */
function gradient(g: VjpContext<PadAttrs>, dy: string): string {
  const { shape, batchAxis } = g.inputTypes[0]!;
  const { before, after, mode = "constant" } = g.attrs;
  if (mode === "constant") {
    const size = shape.map((d, axis) => (axis === batchAxis ? -1 : d));
    return g.emit("slice", [dy], { begin: before, size })[0]!;
  }
  let type = g.outputTypes[0]!;
  let dx = dy;
  shape.forEach((extent, axis) => {
    if (before[axis]! + after[axis]! === 0) return;
    dx = axisMapGradient(g, dx, type, axis, { map: picking(sources(g.attrs, axis, extent)), extent });
    type = { ...type, shape: type.shape.map((d, k) => (k === axis ? extent : d)) };
  });
  return dx;
}

/** Surrounds x with a constant or with itself. ONNX `Pad`, TFLite `PAD`, `PADV2`, `MIRROR_PAD`, Keras `ZeroPadding2D`. */
export const pad = defineOp<PadAttrs>({
  name: "pad",
  summary: "padding on any axis: a value, reflected, symmetric, the edge, or wrapped",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { before, after, mode = "constant" }) {
    before.forEach((shift, axis) => {
      if (shift + after[axis]! === 0) c.tie(c.input(0, axis), c.output(0, axis));
      // Padded channels (a shortcut that widens by zeros) are cuttable by themselves; the rest follow the input.
      else if (mode === "constant") c.tieMap(c.input(0, axis), c.output(0, axis), (i) => i + shift);
      else {
        // With another edge, other indices would be repeated.
        const reason = `its padding repeats them (${mode})`;
        c.freeze(c.input(0, axis), reason);
        c.freeze(c.output(0, axis), reason);
      }
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
  reference([x], a, [shape]) {
    const maps = x!.shape.map((d, axis) => sources(a, axis, d));
    if ((a.mode ?? "constant") !== "constant") {
      return [gather(x!, shape!, (index) => index.map((i, axis) => maps[axis]![i]!))];
    }
    const y = zeros(shape!);
    visitIndices(shape!, (index, flat) => {
      let p = 0;
      for (let k = 0; k < index.length; k++) {
        const i = maps[k]![index[k]!]!;
        if (i < 0 || i >= x!.shape[k]!) {
          y[flat] = a.value;
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
    return [dy && g.wanted[0] ? gradient(g, dy) : null];
  },
  tolerance: () => ({ kind: "exact" }),
});
