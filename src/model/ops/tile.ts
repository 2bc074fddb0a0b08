import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, showType } from "./shared/checks.js";
import { gather } from "./shared/nd.js";

const attrs = z.strictObject({ repeats: z.array(z.int().positive()) });
export type TileAttrs = z.infer<typeof attrs>;

/** Axis k becomes repeats[k] copies of itself, one after another. */
function infer([x]: readonly TensorType[], { repeats }: TileAttrs): TensorType[] {
  if (repeats.length !== x!.shape.length) {
    throw new IdapError("E_RANK", `tile: repeats [${repeats}] need one entry for each axis of ${showType(x)}`);
  }
  if (x!.batchAxis !== null && repeats[x!.batchAxis] !== 1) {
    throw new IdapError("E_BATCH", `tile: the batch axis of ${showType(x)} cannot be repeated`);
  }
  return [{ ...x!, shape: x!.shape.map((d, axis) => d * repeats[axis]!) }];
}

/** Copies side by side. ONNX `Tile`, TFLite `TILE`. */
export const tile = defineOp<TileAttrs>({
  name: "tile",
  summary: "copies of the input side by side",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c) {
    c.inputTypes[0]!.shape.forEach((d, axis) => c.tieMap(c.output(0, axis), c.input(0, axis), (i) => i % d));
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], _, [shape]) => [gather(x!, shape!, (index) => index.map((i, axis) => i % x!.shape[axis]!))],
  /** The sum over the copies, which become axes of their own: [d * r] as [r, d]. */
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy || !g.wanted[0]) return [null];
    const shape: number[] = [];
    const axes: number[] = [];
    g.inputTypes[0]!.shape.forEach((d, axis) => {
      const repeats = g.attrs.repeats[axis]!;
      if (repeats > 1) axes.push(shape.push(repeats) - 1);
      shape.push(axis === g.inputTypes[0]!.batchAxis ? -1 : d);
    });
    if (axes.length === 0) return [dy];
    const apart = g.emit("reshape", [dy], { shape })[0]!;
    return [g.emit("reduce_sum", [apart], { axes, keepDims: false })[0]!];
  },
  tolerance: () => ({ kind: "exact" }),
});
