import { resizeMaps, type ResizeAttrs } from "../../model/ops/resize.js";
import type { AxisMap } from "../../model/ops/shared/axis-map.js";
import { defineCalls } from "../define-calls.js";

const indicesOf = (map: AxisMap): Int32Array => Int32Array.from(map.flatMap((taps) => taps.map((tap) => tap.from)));
const weightsOf = (map: AxisMap): Float32Array =>
  Float32Array.from(map.flatMap((taps) => taps.map((tap) => tap.weight)));

/** Both axes from tables: the indices of the inputs, and their weights. */
export const resize = defineCalls({
  ops: ["resize"],
  calls({ attrs, inputs: [x], outputs: [y], table, call }) {
    const [rows, columns] = resizeMaps(x!.shape, attrs as ResizeAttrs);
    const [n, oh, ow, c] = y!.shape as [number, number, number, number];
    const places = [n, oh, ow, c, ...x!.strides, ...y!.strides];
    const [r, s] = [table(indicesOf(rows)), table(indicesOf(columns))];
    if (attrs.mode === "nearest") {
      call("resize", "resize_nearest", x!.address, y!.address, r, s, ...places);
      return;
    }
    const [v, w] = [table(weightsOf(rows)), table(weightsOf(columns))];
    call("resize", "resize_taps", rows[0]!.length, x!.address, y!.address, r, v, s, w, ...places);
  },
});
