import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, showType } from "./shared/checks.js";
import { gather } from "./shared/nd.js";

const attrs = z.strictObject({ perm: z.array(z.int().nonnegative()) });
export type TransposeAttrs = z.infer<typeof attrs>;

/** Axis k of y is axis perm[k] of x. */
function infer([x]: readonly TensorType[], { perm }: TransposeAttrs): TensorType[] {
  const { shape, batchAxis, dtype } = x!;
  if (perm.length !== shape.length || new Set(perm).size !== perm.length || perm.some((p) => p >= shape.length)) {
    throw new IdapError("E_AXIS", `transpose: [${perm}] is no permutation of the axes of ${showType(x)}`);
  }
  return [{ dtype, shape: perm.map((p) => shape[p]!), batchAxis: batchAxis === null ? null : perm.indexOf(batchAxis) }];
}

/** The permutation that undoes `perm`. */
export function inversePerm(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length);
  perm.forEach((p, k) => (inverse[p] = k));
  return inverse;
}

/** Permutes the axes. ONNX `Transpose`, TFLite `TRANSPOSE`, Keras `Permute`. */
export const transpose = defineOp<TransposeAttrs>({
  name: "transpose",
  summary: "permutation of the axes",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { perm }) {
    perm.forEach((p, axis) => c.tie(c.input(0, p), c.output(0, axis)));
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], { perm }, [shape]) {
    const inverse = inversePerm(perm);
    return [gather(x!, shape!, (index) => inverse.map((k) => index[k]!))];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    return [dy && g.wanted[0] ? g.emit("transpose", [dy], { perm: inversePerm(g.attrs.perm) })[0]! : null];
  },
  tolerance: () => ({ kind: "exact" }),
});
