/** Which rows or columns the windows of a convolution and of its gradients touch, along one axis. */
import type { Reach } from "../kernels/phases.js";
import type { Halo } from "./layout.js";

/** Windows of `taps` elements, `dilation` apart, at `count` positions `stride` apart that start at -pad. */
export function windowReach(
  extent: number,
  count: number,
  taps: number,
  stride: number,
  dilation: number,
  pad: number,
): Reach {
  const last = (count - 1) * stride + (taps - 1) * dilation - pad;
  return [Math.max(0, pad), Math.max(0, last - (extent - 1))];
}

export function haloOf(rows: Reach, columns: Reach): Halo {
  return [rows[0], columns[0], rows[1], columns[1]];
}
