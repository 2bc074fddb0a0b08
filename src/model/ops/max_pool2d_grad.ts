import { z } from "zod";
import { defineOp } from "../define-op.js";
import type { TensorType } from "../types.js";
import { moved, needSame } from "./shared/checks.js";
import { poolGeometry, poolType, windowsOver } from "./shared/pool.js";
import { visitTaps, zeros } from "./shared/taps.js";

const attrs = z.strictObject(poolGeometry);
export type MaxPool2dGradAttrs = z.infer<typeof attrs>;

/** Gradient of `max_pool2d`: dy goes to the first maximum of its window in row-major order. */
export const maxPool2dGrad = defineOp<MaxPool2dGradAttrs>({
  name: "max_pool2d_grad",
  summary: "gradient of max_pool2d, to the first maximum of the window",
  inputs: ["dy", "x", "y"],
  outputs: ["dx"],
  internal: true,
  attrs,
  infer([dy, x, y]: readonly TensorType[], a) {
    const expected = poolType("max_pool2d_grad", x, a);
    needSame("max_pool2d_grad", dy, expected);
    needSame("max_pool2d_grad", y, expected);
    return [x!];
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([dy, x, y], a) {
    const c = x!.shape[3]!;
    const dx = zeros(x!.shape);
    const given = new Uint8Array(y!.data.length);
    visitTaps(x!.shape, y!.shape, a.kernel, a, (p, q) => {
      for (let k = 0; k < c; k++) {
        const o = q * c + k;
        if (given[o] || x!.data[p * c + k] !== y!.data[o]) continue;
        given[o] = 1;
        dx[p * c + k]! += dy!.data[o]!;
      }
    });
    return [{ data: dx, shape: x!.shape }];
  },
  // Overlapping windows add into one input: at most one addition for each further window.
  tolerance: (_, a) => {
    const windows = windowsOver(a);
    return windows === 1 ? { kind: "exact" } : { kind: "roundings", count: windows - 1 };
  },
});
