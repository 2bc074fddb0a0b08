import { z } from "zod";
import type { VjpContext } from "../define-op.js";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { axisMapGradient, picking } from "./shared/axis-map.js";
import { moved, showType } from "./shared/checks.js";
import { gather } from "./shared/nd.js";

const attrs = z.strictObject({
  begin: z.array(z.int().nonnegative()),
  size: z.array(z.int().gte(-1)),
  /** Distance from one index that is taken to the next, for each axis; absent: 1 everywhere. */
  steps: z.array(z.int().refine((s) => s !== 0, "a step of 0 takes the same element for ever")).optional(),
});
export type SliceAttrs = z.infer<typeof attrs>;

/** How many indices there are from `begin` to the end that `step` goes to. */
function most(extent: number, begin: number, step: number): number {
  return Math.floor((step > 0 ? extent - 1 - begin : begin) / Math.abs(step)) + 1;
}

/** size[i] elements from begin[i] on each axis, steps[i] apart; size -1 takes all, as it must on the batch axis. */
function infer([x]: readonly TensorType[], { begin, size, steps }: SliceAttrs): TensorType[] {
  const { shape, batchAxis } = x!;
  const rank = shape.length;
  if (begin.length !== rank || size.length !== rank || (steps && steps.length !== rank)) {
    throw new IdapError(
      "E_RANK",
      `slice: begin [${begin}]${steps ? `, steps [${steps}]` : ""} and size [${size}] need one entry for each axis of ${showType(x)}`,
    );
  }
  const step = (axis: number): number => steps?.[axis] ?? 1;
  if (batchAxis !== null && (begin[batchAxis] !== 0 || size[batchAxis] !== -1 || step(batchAxis) !== 1)) {
    throw new IdapError("E_BATCH", `slice: the batch axis of ${showType(x)} must be taken whole (begin 0, size -1)`);
  }
  const out = shape.map((d, axis) => {
    const all = begin[axis]! < d ? most(d, begin[axis]!, step(axis)) : 0;
    const n = size[axis] === -1 ? all : size[axis]!;
    if (n < 1 || n > all) {
      throw new IdapError(
        "E_RANGE",
        `slice: begin ${begin[axis]} and size ${size[axis]}${step(axis) === 1 ? "" : ` in steps of ${step(axis)}`} leave axis ${axis} of ${showType(x)}`,
      );
    }
    return n;
  });
  return [{ ...x!, shape: out }];
}

/** Axes with a step go through the matrix of the picks; the others are padded back. */
function gradient(g: VjpContext<SliceAttrs>, dy: string): string {
  const from = g.inputTypes[0]!.shape;
  const { begin, steps = begin.map(() => 1) } = g.attrs;
  let type = g.outputTypes[0]!;
  let dx = dy;
  steps.forEach((step, axis) => {
    if (step === 1) return;
    const picks = Array.from({ length: type.shape[axis]! }, (_, i) => begin[axis]! + i * step);
    dx = axisMapGradient(g, dx, type, axis, { map: picking(picks), extent: from[axis]! });
    type = { ...type, shape: type.shape.map((d, k) => (k === axis ? from[axis]! : d)) };
  });
  const before = begin.map((b, axis) => (steps[axis] === 1 ? b : 0));
  const after = type.shape.map((d, axis) => from[axis]! - before[axis]! - d);
  if (dx !== dy && [...before, ...after].every((d) => d === 0)) return dx;
  return g.emit("pad", [dx], { before, after, value: 0 })[0]!;
}

/** A box of x, or a grid of it. ONNX `Slice`, `Split`; TFLite `SLICE`, `STRIDED_SLICE`, `SPLIT`; Keras `Cropping2D`. */
export const slice = defineOp<SliceAttrs>({
  name: "slice",
  summary: "a box of the input, in steps and backwards too",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { begin, steps }) {
    const to = c.outputTypes[0]!.shape;
    c.inputTypes[0]!.shape.forEach((d, axis) => {
      const step = steps?.[axis] ?? 1;
      if (Math.abs(step) > 1 && to[axis]! > 1) {
        // Without some of the indices in between, what is left is no grid any more.
        const reason = `it takes one in ${Math.abs(step)} of them`;
        c.freeze(c.input(0, axis), reason);
        c.freeze(c.output(0, axis), reason);
      } else if (to[axis] === d && step === 1) c.tie(c.input(0, axis), c.output(0, axis));
      else c.tieMap(c.output(0, axis), c.input(0, axis), (i) => i * step + begin[axis]!);
    });
  },
  cut(c, a) {
    return {
      ...a,
      begin: a.begin.map((b, axis) => {
        const kept = c.keptInput(0, axis);
        // Backwards the first index taken may be gone: the next lower one that stays is then the first.
        return (a.steps?.[axis] ?? 1) < 0 ? kept.filter((i) => i <= b).length - 1 : kept.filter((i) => i < b).length;
      }),
      size: a.size.map((n, axis) => (n === -1 ? -1 : c.keptOutput(0, axis).length)),
    };
  },
  cost: (_, outputs) => ({ macs: 0, bytes: 2 * moved([], outputs) }),
  reference: ([x], { begin, steps }, [shape]) => [
    gather(x!, shape!, (index) => index.map((i, k) => i * (steps?.[k] ?? 1) + begin[k]!)),
  ],
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? gradient(g, dy) : null];
  },
  tolerance: () => ({ kind: "exact" }),
});
