import { z } from "zod";
import type { VjpContext } from "../define-op.js";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, stridesOf, type TensorType } from "../types.js";
import { reshapeTarget } from "./shared/broadcast.js";
import { moved, needAxis, showType } from "./shared/checks.js";
import { visitIndices } from "./shared/nd.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ axis: z.int().nonnegative() });
export type GatherAttrs = z.infer<typeof attrs>;

/** x [a..., n, b...], indices [i...] -> [a..., i..., b...]. The batch is in one of them, and not on the axis of x. */
function infer([x, indices]: readonly TensorType[], { axis }: GatherAttrs): TensorType[] {
  needAxis("gather", x!, axis);
  if (indices!.dtype !== "i32") {
    throw new IdapError("E_DTYPE", `gather needs indices of type i32, got ${showType(indices)}`);
  }
  const rank = indices!.shape.length;
  const shape = [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)];
  const [bx, bi] = [x!.batchAxis, indices!.batchAxis];
  if (bx === axis || (bx !== null && bi !== null)) {
    throw new IdapError(
      "E_BATCH",
      `gather: the batch of ${showType(x)} and indices ${showType(indices)} is not one axis of the result`,
    );
  }
  const batchAxis = bi !== null ? axis + bi : bx === null || bx < axis ? bx : bx - 1 + rank;
  return [{ dtype: x!.dtype, shape, batchAxis }];
}

/** Index that value `i` stands for: negative ones count from the end, those beyond either end are taken as the end. */
export function gatherIndex(i: number, extent: number): number {
  return Math.min(Math.max(i < 0 ? i + extent : i, 0), extent - 1);
}

/**
 * dx = dy * [indices == position], a product over the places of the indices: they come last in dy, as one axis, and
 * the axis of x takes their place.
 */
function gradient(g: VjpContext<GatherAttrs>, dy: string): string {
  const [x, indices] = g.inputTypes as [TensorType, TensorType];
  const { axis } = g.attrs;
  const extent = x.shape[axis]!;
  const places = sizeOf(indices.shape);
  const emit = (op: string, inputs: string[], attrs = {}): string => g.emit(op, inputs, attrs)[0]!;
  const integers = (values: Float32Array): string => emit("cast", [g.constant([values.length], values)], { to: "i32" });
  const batched = indices.batchAxis !== null;
  const column = emit("reshape", [g.inputs[1]!], { shape: [batched ? -1 : places, 1] });
  // As `gatherIndex`: from the end where negative, and inside.
  const fromEnd = emit("add", [column, integers(Float32Array.of(extent))]);
  const negative = emit("less", [column, integers(Float32Array.of(0))]);
  const position = emit("clip", [emit("select", [negative, fromEnd, column])], { min: 0, max: extent - 1 });
  const range = integers(Float32Array.from({ length: extent }, (_, i) => i));
  const hits = emit("cast", [emit("equal", [position, range])], { to: "f32" });

  const { shape, batchAxis } = g.outputTypes[0]!;
  const rank = indices.shape.length;
  const own = shape.map((_, k) => k).filter((k) => k < axis || k >= axis + rank);
  const perm = [...own, ...indices.shape.map((_, k) => axis + k)];
  const last = own.length;
  const leading = own.map((k) => (k === batchAxis ? -1 : shape[k]!));
  const rows = emit("reshape", [emit("transpose", [dy], { perm })], {
    shape: [...(last === 0 ? [1] : leading), batched ? -1 : places],
  });
  const product = emit("matmul", [rows, hits], { transposeA: false, transposeB: false });
  if (last === 0) return emit("reshape", [product], { shape: reshapeTarget(x) });
  return emit("transpose", [product], {
    perm: x.shape.map((_, k) => (k === axis ? last : k < axis ? k : k - 1)),
  });
}

/** Picks along one axis by index. ONNX `Gather`, TFLite `GATHER`, Keras `Embedding`. */
export const gather = defineOp<GatherAttrs>({
  name: "gather",
  summary: "picks along one axis by index",
  inputs: ["x", "indices"],
  outputs: ["y"],
  params: [0],
  attrs,
  infer,
  couple(c, { axis }) {
    const [x, indices] = c.inputTypes as [TensorType, TensorType];
    const rank = indices.shape.length;
    x.shape.forEach((_, k) => {
      if (k === axis) c.freeze(c.input(0, k), "it picks from them by index");
      else c.tie(c.input(0, k), c.output(0, k < axis ? k : k - 1 + rank));
    });
    indices.shape.forEach((_, k) => c.tie(c.input(1, k), c.output(0, axis + k)));
  },
  cost: ([, indices], outputs) => ({ macs: 0, bytes: 2 * moved([], outputs) + moved([indices!], []) }),
  reference([x, indices], { axis }, [shape]) {
    const y = zeros(shape!);
    const from = stridesOf(x!.shape);
    const at = stridesOf(indices!.shape);
    const rank = at.length;
    visitIndices(shape!, (index, flat) => {
      const place = at.reduce((p, s, k) => p + s * index[axis + k]!, 0);
      const picked = gatherIndex(indices!.data[place]!, x!.shape[axis]!);
      y[flat] =
        x!.data[from.reduce((p, s, k) => p + s * (k === axis ? picked : index[k < axis ? k : k - 1 + rank]!), 0)]!;
    });
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? gradient(g, dy) : null, null];
  },
  tolerance: () => ({ kind: "exact" }),
});
