import { z } from "zod";
import type { NdArray } from "../define-op.js";
import { defineOp } from "../define-op.js";
import { sizeOf, type Shape, type TensorType } from "../types.js";
import { axisMapGradient, type AxisMap } from "./shared/axis-map.js";
import { moved, needBatchFirst, needF32, needRank } from "./shared/checks.js";
import { COORDINATES, resizeMap, ROUNDINGS } from "./shared/resize.js";
import { zeros } from "./shared/taps.js";
import { pair } from "./shared/window.js";

const attrs = z.strictObject({
  /** Output extents [h, w]. */
  sizes: pair,
  mode: z.enum(["nearest", "linear", "cubic"]),
  coordinates: z.enum(COORDINATES),
  rounding: z.enum(ROUNDINGS).default("round_prefer_floor"),
  /** Output / input as the source states them (ONNX); null: it states sizes only (TensorFlow, TFLite, TF.js). */
  scales: z.tuple([z.number().positive(), z.number().positive()]).nullable().default(null),
  cubicCoefficient: z.number().default(-0.75),
  /** Inputs beyond the edge have no weight, instead of repeating the edge. */
  excludeOutside: z.boolean().default(false),
});
export type ResizeAttrs = z.infer<typeof attrs>;

function infer([x]: readonly TensorType[], { sizes, mode }: ResizeAttrs): TensorType[] {
  needRank("resize", "x", x, 4);
  needBatchFirst("resize", "x", x!);
  if (mode !== "nearest") needF32("resize", [x!]);
  const [n, , , c] = x!.shape as [number, number, number, number];
  return [{ ...x!, shape: [n, sizes[0], sizes[1], c] }];
}

/** What the rows and the columns of an image of `shape` become. */
export function resizeMaps(shape: Shape, a: ResizeAttrs): [rows: AxisMap, columns: AxisMap] {
  const { sizes, scales } = a;
  return [
    resizeMap(shape[1]!, sizes[0], scales && scales[0], a),
    resizeMap(shape[2]!, sizes[1], scales && scales[1], a),
  ];
}

/** Resampled along one axis. */
function along({ data, shape }: NdArray, axis: number, map: AxisMap): NdArray {
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const to = shape.map((d, k) => (k === axis ? map.length : d));
  const y = zeros(to);
  for (let o = 0; o < outer; o++)
    map.forEach((taps, i) => {
      for (const { from, weight } of taps)
        for (let q = 0; q < inner; q++)
          y[(o * map.length + i) * inner + q]! += weight * data[(o * shape[axis]! + from) * inner + q]!;
    });
  return { data: y, shape: to };
}

/** Changes the size of images [n, h, w, c]. ONNX `Resize`, `Upsample`; TFLite `RESIZE_BILINEAR`, `RESIZE_NEAREST_NEIGHBOR`. */
export const resize = defineOp<ResizeAttrs>({
  name: "resize",
  summary: "images of another size: nearest, linear or cubic",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer,
  /** Channels pass through; rows and columns stay unmentioned, so frozen. */
  couple(c) {
    c.tie(c.input(0, 0), c.output(0, 0));
    c.tie(c.input(0, 3), c.output(0, 3));
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], a) {
    const [rows, columns] = resizeMaps(x!.shape, a);
    return [along(along(x!, 1, rows), 2, columns)];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy || !g.wanted[0]) return [null];
    const x = g.inputTypes[0]!;
    const y = g.outputTypes[0]!;
    const [rows, columns] = resizeMaps(x.shape, g.attrs);
    const narrow = axisMapGradient(g, dy, y, 2, { map: columns, extent: x.shape[2]! });
    const between = { ...y, shape: y.shape.map((d, k) => (k === 2 ? x.shape[2]! : d)) };
    return [axisMapGradient(g, narrow, between, 1, { map: rows, extent: x.shape[1]! })];
  },
  // For each axis a product and all but one addition for each input; the weights are numbers of f32.
  tolerance: (_, { mode }) =>
    mode === "nearest" ? { kind: "exact" } : { kind: "roundings", count: mode === "linear" ? 4 : 8 },
});
