import { z } from "zod";
import type { Coupling } from "../coupling.js";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type Shape, type TensorType } from "../types.js";
import { reshapeTarget } from "./shared/broadcast.js";
import { moved, showType } from "./shared/checks.js";

const attrs = z.strictObject({ shape: z.array(z.int().gte(-1)) });
export type ReshapeAttrs = z.infer<typeof attrs>;

/** -1 stands on the batch axis; the batch stays one axis when what lies before it is as much as before. */
function infer([x]: readonly TensorType[], { shape }: ReshapeAttrs): TensorType[] {
  const total = sizeOf(x!.shape);
  const open = shape.indexOf(-1);
  if (open !== shape.lastIndexOf(-1) || shape.includes(0)) {
    throw new IdapError("E_SHAPE", `reshape: [${shape}] may have one -1 and no 0`);
  }
  const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
  if (open < 0 ? known !== total : total % known !== 0) {
    throw new IdapError(
      "E_SHAPE",
      `reshape: ${showType(x)} has ${total} elements, [${shape}] needs ${known}${open < 0 ? "" : " or a multiple"}`,
    );
  }
  const out = shape.map((d) => (d === -1 ? total / known : d));
  const batch = x!.batchAxis;
  if (batch === null) return [{ ...x!, shape: out }];
  if (open < 0) {
    throw new IdapError("E_BATCH", `reshape: [${shape}] fixes the batch of ${showType(x)}; its axis must be -1`);
  }
  if (sizeOf(x!.shape.slice(0, batch)) !== sizeOf(out.slice(0, open))) {
    throw new IdapError("E_BATCH", `reshape: axis ${open} of [${shape}] does not carry the batch of ${showType(x)}`);
  }
  return [{ ...x!, shape: out, batchAxis: open }];
}

/** Runs of axes with equal products, extents of 1 left out: the finest blocks that a reshape maps onto each other. */
function segments(from: Shape, to: Shape): { from: number[]; to: number[] }[] {
  const result: { from: number[]; to: number[] }[] = [];
  const a = from.map((_, i) => i).filter((i) => from[i] !== 1);
  const b = to.map((_, i) => i).filter((i) => to[i] !== 1);
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const segment = { from: [a[i]!], to: [b[j]!] };
    let p = from[a[i++]!]!;
    let q = to[b[j++]!]!;
    while (p !== q) {
      if (p < q) {
        segment.from.push(a[i]!);
        p *= from[a[i++]!]!;
      } else {
        segment.to.push(b[j]!);
        q *= to[b[j++]!]!;
      }
    }
    result.push(segment);
  }
  return result;
}

/**
 * An axis that stays is tied. Axes that merge, (positions..., channel) -> one: index p*C + c is channel c, the last of
 * them. An axis that splits: the outer factor is blocks of it, the inner one is frozen. Anything else is frozen.
 */
function couple(c: Coupling): void {
  const x = c.inputTypes[0]!;
  const y = c.outputTypes[0]!;
  for (const { from, to } of segments(x.shape, y.shape)) {
    if (from.length === 1 && to.length === 1) {
      c.tie(c.input(0, from[0]!), c.output(0, to[0]!));
    } else if (to.length === 1) {
      const channel = from[from.length - 1]!;
      const channels = x.shape[channel]!;
      c.tieMap(c.output(0, to[0]!), c.input(0, channel), (i) => i % channels);
      for (const axis of from.slice(0, -1)) c.freeze(c.input(0, axis), "a reshape merges it with the axis after it");
    } else if (from.length === 1) {
      const blocks = y.shape[to[0]!]!;
      const inner = x.shape[from[0]!]! / blocks;
      c.block(c.input(0, from[0]!), blocks);
      c.tieMap(c.input(0, from[0]!), c.output(0, to[0]!), (i) => Math.floor(i / inner));
      for (const axis of to.slice(1))
        c.freeze(c.output(0, axis), "a reshape splits it off an axis as the inner factor");
    }
  }
}

/** The same elements in row-major order under another shape. ONNX `Reshape`, `Flatten`, `Squeeze`; TFLite `RESHAPE`. */
export const reshape = defineOp<ReshapeAttrs>({
  name: "reshape",
  summary: "the same elements under another shape (flatten, squeeze)",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple,
  cut: (c, { shape }) => ({ shape: shape.map((d, axis) => (d === -1 ? -1 : c.keptOutput(0, axis).length)) }),
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], _, [shape]) => [{ data: x!.data.slice(), shape: shape! }],
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? g.emit("reshape", [dy], { shape: reshapeTarget(g.inputTypes[0]!) })[0]! : null];
  },
  tolerance: () => ({ kind: "exact" }),
});
