import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needAxis, showType } from "./shared/checks.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ axis: z.int().nonnegative() });
export type ConcatAttrs = z.infer<typeof attrs>;

/** All extents but that of `axis` agree. */
function infer(inputs: readonly TensorType[], { axis }: ConcatAttrs): TensorType[] {
  const [first] = inputs;
  if (!first) throw new IdapError("E_ARITY", "concat needs at least one operand");
  needAxis("concat", first, axis);
  let extent = 0;
  for (const t of inputs) {
    const fits =
      t.dtype === first.dtype &&
      t.batchAxis === first.batchAxis &&
      t.shape.length === first.shape.length &&
      t.shape.every((d, i) => i === axis || d === first.shape[i]);
    if (!fits) {
      throw new IdapError(
        "E_SHAPE",
        `concat on axis ${axis}: ${inputs.map(showType).join(" and ")} differ on another axis`,
      );
    }
    extent += t.shape[axis]!;
  }
  if (first.batchAxis === axis) throw new IdapError("E_BATCH", "concat cannot join along the batch axis");
  return [{ ...first, shape: first.shape.map((d, i) => (i === axis ? extent : d)) }];
}

/** Joins along one axis. ONNX `Concat`, TFLite `CONCATENATION`, Keras `Concatenate`. */
export const concat = defineOp<ConcatAttrs>({
  name: "concat",
  summary: "joins tensors along one axis",
  inputs: ["x..."],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { axis }) {
    let offset = 0;
    c.inputTypes.forEach((t, i) => {
      t.shape.forEach((d, k) => {
        if (k !== axis) {
          c.tie(c.input(i, k), c.output(0, k));
          return;
        }
        const start = offset;
        c.tieMap(c.input(i, k), c.output(0, k), (j) => j + start);
        offset += d;
      });
    });
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference(inputs, { axis }, [shape]) {
    const y = zeros(shape!);
    const inner = sizeOf(shape!.slice(axis + 1));
    const outer = sizeOf(shape!.slice(0, axis));
    let q = 0;
    for (let r = 0; r < outer; r++)
      for (const x of inputs) {
        const run = x.shape[axis]! * inner;
        y.set(x.data.subarray(r * run, (r + 1) * run), q);
        q += run;
      }
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    let offset = 0;
    return g.inputTypes.map((t, i) => {
      const begin = t.shape.map((_, k) => (k === g.attrs.axis ? offset : 0));
      const size = t.shape.map((d, k) => (k === t.batchAxis ? -1 : d));
      offset += t.shape[g.attrs.axis]!;
      return dy && g.wanted[i] ? g.emit("slice", [dy], { begin, size })[0]! : null;
    });
  },
  tolerance: () => ({ kind: "exact" }),
});
