import { z } from "zod";
import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { moved, needF32, needSame } from "./shared/checks.js";
import { visitIndices } from "./shared/nd.js";
import { needAxes, reduceAxes, reducedIndex, reducedType } from "./shared/reduce.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ axes: reduceAxes, keepDims: z.boolean() });
export type ReduceMaxGradAttrs = z.infer<typeof attrs>;

/** dy and y of the reduced type, x of the full one -> dx of the type of x. */
function infer([dy, x, y]: readonly TensorType[], a: ReduceMaxGradAttrs): TensorType[] {
  needF32("reduce_max_grad", [dy!, x!, y!]);
  needAxes("reduce_max_grad", x!, a.axes);
  const expected = reducedType(x!, a);
  needSame("reduce_max_grad", dy, expected);
  needSame("reduce_max_grad", y, expected);
  return [x!];
}

/** Gradient of `reduce_max`: dy goes to the first maximum in row-major order. */
export const reduceMaxGrad = defineOp<ReduceMaxGradAttrs>({
  name: "reduce_max_grad",
  summary: "gradient of reduce_max, to the first maximum",
  inputs: ["dy", "x", "y"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dy, x, y], { axes }) {
    const dx = zeros(x!.shape);
    const source = reducedIndex(x!.shape, axes);
    const given = new Uint8Array(y!.data.length);
    visitIndices(x!.shape, (index, flat) => {
      const q = source(index);
      if (given[q] || x!.data[flat] !== y!.data[q]) return;
      given[q] = 1;
      dx[flat] = dy!.data[q]!;
    });
    return [{ data: dx, shape: x!.shape }];
  },
  tolerance: () => ({ kind: "exact" }),
});
