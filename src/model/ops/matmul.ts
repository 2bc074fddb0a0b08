import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needRank, showType } from "./shared/checks.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ transposeA: z.boolean(), transposeB: z.boolean() });
export type MatmulAttrs = z.infer<typeof attrs>;

/** a [m, k] (or [k, m]) * b [k, n] (or [n, k]) -> [m, n]. */
function infer([a, b]: readonly TensorType[], { transposeA, transposeB }: MatmulAttrs): TensorType[] {
  needRank("matmul", "a", a, 2);
  needRank("matmul", "b", b, 2);
  needF32("matmul", [a!, b!]);
  const [am, ak] = transposeA ? [1, 0] : [0, 1];
  const [bk, bn] = transposeB ? [1, 0] : [0, 1];
  if (a!.shape[ak] !== b!.shape[bk]) {
    throw new IdapError(
      "E_CHANNELS",
      `matmul: a ${showType(a)} and b ${showType(b)} must agree on axis ${ak} of a and axis ${bk} of b`,
    );
  }
  // A batch that is summed over must be summed over in both operands; one that stays is in one of them.
  const summedA = a!.batchAxis === ak;
  const summedB = b!.batchAxis === bk;
  const keptA = a!.batchAxis === am;
  const keptB = b!.batchAxis === bn;
  if (summedA !== summedB || (keptA && keptB)) {
    throw new IdapError("E_BATCH", `matmul: the batch of a ${showType(a)} and of b ${showType(b)} do not fit`);
  }
  return [{ dtype: "f32", shape: [a!.shape[am]!, b!.shape[bn]!], batchAxis: keptA ? 0 : keptB ? 1 : null }];
}

/** Product of two matrices, either transposed first. ONNX `MatMul` and `Gemm` of rank 2, TFLite `BATCH_MATMUL`. */
export const matmul = defineOp<MatmulAttrs>({
  name: "matmul",
  summary: "product of two matrices",
  inputs: ["a", "b"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { transposeA, transposeB }) {
    c.tie(c.input(0, transposeA ? 1 : 0), c.output(0, 0));
    c.tie(c.input(0, transposeA ? 0 : 1), c.input(1, transposeB ? 1 : 0));
    c.tie(c.input(1, transposeB ? 0 : 1), c.output(0, 1));
  },
  cost(inputs, [y], { transposeA }) {
    return { macs: sizeOf(y!.shape) * inputs[0]!.shape[transposeA ? 0 : 1]!, bytes: moved(inputs, [y!]) };
  },
  reference([a, b], { transposeA, transposeB }, [shape]) {
    const [m, n] = shape as unknown as [number, number];
    const k = a!.shape[transposeA ? 0 : 1]!;
    const y = zeros(shape!);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) {
          sum += a!.data[transposeA ? p * m + i : i * k + p]! * b!.data[transposeB ? j * k + p : p * n + j]!;
        }
        y[i * n + j] = sum;
      }
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy) return [null, null];
    const [a, b] = g.inputs as [string, string];
    const { transposeA: ta, transposeB: tb } = g.attrs;
    const product = (p: string, q: string, transposeA: boolean, transposeB: boolean): string =>
      g.emit("matmul", [p, q], { transposeA, transposeB })[0]!;
    // With A = a or its transpose, B likewise: dA = dy B^T and dB = A^T dy, transposed back where needed.
    const da = !g.wanted[0] ? null : ta ? product(b, dy, tb, true) : product(dy, b, false, !tb);
    const db = !g.wanted[1] ? null : tb ? product(dy, a, true, ta) : product(a, dy, !ta, false);
    return [da, db];
  },
  // One rounding for the product, at most k - 1 additions after it.
  tolerance: ([a], { transposeA }) => ({ kind: "roundings", count: a!.shape[transposeA ? 0 : 1]! }),
});
