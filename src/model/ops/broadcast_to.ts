import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { unbroadcast } from "./shared/broadcast.js";
import { moved, showType } from "./shared/checks.js";
import { gather } from "./shared/nd.js";

const attrs = z.strictObject({ shape: z.array(z.int().gte(-1)) });
export type BroadcastToAttrs = z.infer<typeof attrs>;

/** Axes align from the right; extent 1 becomes any other, -1 keeps an extent, as it must on the batch axis. */
function infer([x]: readonly TensorType[], { shape }: BroadcastToAttrs): TensorType[] {
  const skip = shape.length - x!.shape.length;
  const out = shape.map((d, axis) => (d === -1 ? (x!.shape[axis - skip] ?? 0) : d));
  const fits = x!.shape.every((d, i) => d === 1 || d === out[i + skip]);
  if (skip < 0 || !fits || out.includes(0)) {
    throw new IdapError("E_BROADCAST", `broadcast_to: ${showType(x)} does not repeat to [${shape}]`);
  }
  const batchAxis = x!.batchAxis === null ? null : x!.batchAxis + skip;
  if (batchAxis !== null && shape[batchAxis] !== -1) {
    throw new IdapError("E_BATCH", `broadcast_to: [${shape}] fixes the batch of ${showType(x)}; its axis must be -1`);
  }
  return [{ dtype: x!.dtype, shape: out, batchAxis }];
}

/** Repeats along axes of extent 1 and along new ones in front. ONNX `Expand`, TFLite `BROADCAST_TO`. */
export const broadcastTo = defineOp<BroadcastToAttrs>({
  name: "broadcast_to",
  summary: "repeats axes of extent 1",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c) {
    const from = c.inputTypes[0]!.shape;
    const to = c.outputTypes[0]!.shape;
    to.forEach((d, axis) => {
      const i = axis - to.length + from.length;
      if (i >= 0 && from[i] === d) c.tie(c.input(0, i), c.output(0, axis));
      else c.free(c.output(0, axis));
    });
  },
  cut: (c, { shape }) => ({ shape: shape.map((d, axis) => (d === -1 ? -1 : c.keptOutput(0, axis).length)) }),
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], _, [shape]) => {
    const skip = shape!.length - x!.shape.length;
    return [gather(x!, shape!, (index) => x!.shape.map((d, k) => (d === 1 ? 0 : index[k + skip]!)))];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? unbroadcast(g, dy, g.inputTypes[0]!) : null];
  },
  tolerance: () => ({ kind: "exact" }),
});
