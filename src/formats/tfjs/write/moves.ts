import { resizeMaps, type ResizeAttrs } from "../../../model/ops/resize.js";
import { sizeOf, type Node } from "../../../model/types.js";
import { attr, openShape, TF_TYPE, type TfjsWriter, type Writer } from "./context.js";

type Table = Readonly<Record<string, Writer>>;

const x = (w: TfjsWriter, node: Node, i = 0): string => w.ref(node.inputs[i]!);
const shapeOf = (w: TfjsWriter, node: Node): readonly number[] => w.typeOf(node.inputs[0]!).shape;
const T = (w: TfjsWriter, node: Node): { T: object } => ({
  T: attr.type(TF_TYPE[w.typeOf(node.inputs[0]!).dtype].type),
});

/** Reshaped to the type of an output. */
export function toType(w: TfjsWriter, node: Node, value: string, output = 0): string {
  const type = w.typeOf(node.outputs[output]!);
  return w.add(node.outputs[output]!, "Reshape", [value, w.ints(openShape(type))], T(w, node));
}

export function transposed(w: TfjsWriter, of: string, value: string, perm: readonly number[]): string {
  return perm.every((p, k) => p === k) ? value : w.add(of, "Transpose", [value, w.ints(perm)]);
}

/** Elements along one axis by constant indices. */
function picked(w: TfjsWriter, node: Node, value: string, axis: number, indices: readonly number[]): string {
  return gathered(w, node, value, axis, w.ints(indices), `${node.name}/picked`);
}

function gathered(w: TfjsWriter, node: Node, value: string, axis: number, indices: string, of: string): string {
  return w.add(of, "GatherV2", [value, indices, w.int(axis)], {
    batch_dims: attr.int(0),
    Tindices: attr.type("DT_INT32"),
    ...T(w, node),
  });
}

/** Indices from the end are constants where they are met at all; TF.js counts from the front only. */
const gather: Writer = (w, node, { axis }: { axis: number }) => {
  const data = w.data(node.inputs[1]!);
  const extent = shapeOf(w, node)[axis]!;
  const indices = data ? Array.from(data as Int32Array, Number) : [];
  if (indices.some((i) => i < 0)) {
    const { shape } = w.typeOf(node.inputs[1]!);
    const front = indices.map((i) => Math.max(i < 0 ? i + extent : i, 0));
    return gathered(w, node, x(w, node), axis, w.ints(front, shape), node.outputs[0]!);
  }
  return gathered(w, node, x(w, node), axis, x(w, node, 1), node.outputs[0]!);
};

const slice: Writer = (w, node, a: { begin: number[]; size: number[]; steps?: number[] }) => {
  const of = node.outputs[0]!;
  const steps = a.steps ?? a.begin.map(() => 1);
  if (steps.every((s) => s === 1)) return w.add(of, "Slice", [x(w, node), w.ints(a.begin), w.ints(a.size)], T(w, node));
  const to = w.typeOf(of).shape;
  const batch = w.typeOf(node.inputs[0]!).batchAxis;
  const end = a.begin.map((b, k) => b + steps[k]! * to[k]!);
  const bits = (wanted: (k: number) => boolean): number => a.begin.reduce((m, _, k) => m + (wanted(k) ? 2 ** k : 0), 0);
  return w.add(of, "StridedSlice", [x(w, node), w.ints(a.begin), w.ints(end), w.ints(steps)], {
    begin_mask: attr.int(bits((k) => k === batch)),
    // Before the first element there is no index: -1 would be the last.
    end_mask: attr.int(bits((k) => k === batch || end[k]! < 0)),
    ellipsis_mask: attr.int(0),
    new_axis_mask: attr.int(0),
    shrink_axis_mask: attr.int(0),
    ...T(w, node),
  });
};

interface Pad {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
  readonly mode?: string;
}

const pad: Writer = (w, node, { before, after, value, mode = "constant" }: Pad) => {
  const of = node.outputs[0]!;
  const widths = w.ints(before.flatMap((b, k) => [b, after[k]!]), [before.length, 2]); // prettier-ignore
  if (mode === "constant") {
    if (value === 0) return w.add(of, "Pad", [x(w, node), widths], T(w, node));
    const { dtype } = w.typeOf(node.inputs[0]!);
    return w.add(of, "PadV2", [x(w, node), widths, w.scalar(value, dtype)], T(w, node));
  }
  const extents = shapeOf(w, node);
  const turn = mode === "reflect" ? 1 : 0;
  if (MIRRORS.includes(mode) && before.every((b, k) => Math.max(b, after[k]!) <= extents[k]! - turn)) {
    return w.add(of, "MirrorPad", [x(w, node), widths], { mode: attr.text(mode.toUpperCase()), ...T(w, node) });
  }
  return before.reduce(
    (v, b, axis) => {
      if (b + after[axis]! === 0) return v;
      const extent = extents[axis]!;
      const places = Array.from({ length: extent + b + after[axis]! }, (_, i) => paddedIndex(i - b, extent, mode));
      return picked(w, node, v, axis, places);
    },
    x(w, node),
  );
};

const MIRRORS = ["reflect", "symmetric"];

/** Index of the element that stands at `i`, which may lie outside. */
function paddedIndex(i: number, extent: number, mode: string): number {
  if (mode === "edge") return Math.min(Math.max(i, 0), extent - 1);
  if (mode === "wrap") return ((i % extent) + extent) % extent;
  const period = mode === "reflect" ? Math.max(2 * (extent - 1), 1) : 2 * extent;
  const at = ((i % period) + period) % period;
  return at < extent ? at : mode === "reflect" ? period - at : period - 1 - at;
}

/** -1 in an extent of the batch is not known to TF.js here; adding zeros broadcasts as well. */
const broadcastTo: Writer = (w, node) => {
  const type = w.typeOf(node.outputs[0]!);
  if (type.batchAxis === null) {
    return w.add(node.outputs[0]!, "BroadcastTo", [x(w, node), w.ints(type.shape)], T(w, node));
  }
  const shape = type.shape.map((d, axis) => (axis === type.batchAxis ? 1 : d));
  const zeros = w.constant(
    `${node.name}/zeros`,
    type.dtype,
    shape,
    type.dtype === "f32" ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape)),
  );
  return w.add(node.outputs[0]!, type.dtype === "bool" ? "LogicalOr" : "AddV2", [x(w, node), zeros], T(w, node));
};

/** What the format's own operators can do of a resize; null when it is something else. */
function plainResize(a: ResizeAttrs, from: readonly number[]): { op: string; corners: boolean; half: boolean } | null {
  const exact = a.scales?.every((s, k) => s === a.sizes[k]! / from[k + 1]!) ?? true;
  if (!exact || a.mode === "cubic" || a.excludeOutside) return null;
  const corners = a.coordinates === "align_corners";
  if (a.mode === "linear") {
    const half = a.coordinates === "half_pixel";
    return corners || half || a.coordinates === "asymmetric" ? { op: "ResizeBilinear", corners, half } : null;
  }
  const half = a.coordinates === "tf_half_pixel_for_nn";
  const fits = corners ? a.rounding === "round_prefer_ceil" : a.rounding === "floor";
  return fits && (corners || half || a.coordinates === "asymmetric")
    ? { op: "ResizeNearestNeighbor", corners, half }
    : null;
}

/** One axis resampled by the matrix of its weights: [outer, from, inner] -> [outer, to, inner]. */
function resampled(w: TfjsWriter, node: Node, value: string, axis: 1 | 2, to: readonly number[]): string {
  const from = shapeOf(w, node);
  const map = resizeMaps(from, node.attrs as ResizeAttrs)[axis - 1]!;
  const matrix = new Float32Array(map.length * from[axis]!);
  map.forEach((taps, i) => taps.forEach(({ from: j, weight }) => (matrix[i * from[axis]! + j]! += weight)));
  const rows = w.constant(`${node.name}/weights`, "f32", [1, map.length, from[axis]!], matrix);
  const inner = axis === 1 ? from[2]! * from[3]! : from[3]!;
  const folded = w.add(`${node.name}/rows`, "Reshape", [value, w.ints([-1, from[axis]!, inner])]);
  const attrs = { adj_x: attr.bool(false), adj_y: attr.bool(false) };
  const y = w.add(`${node.name}/resampled`, "BatchMatMulV2", [rows, folded], attrs);
  return w.add(`${node.name}/image`, "Reshape", [y, w.ints([-1, to[1]!, to[2]!, to[3]!])]);
}

const resize: Writer = (w, node, a: ResizeAttrs) => {
  const from = shapeOf(w, node);
  const fits = plainResize(a, from);
  if (fits) {
    return w.add(node.outputs[0]!, fits.op, [x(w, node), w.ints(a.sizes)], {
      align_corners: attr.bool(fits.corners),
      half_pixel_centers: attr.bool(fits.half),
    });
  }
  const [n, , wide, c] = from as [number, number, number, number];
  if (a.mode === "nearest") {
    const [rows, columns] = resizeMaps(from, a).map((map) => map.map((taps) => taps[0]!.from));
    return picked(w, node, picked(w, node, x(w, node), 1, rows!), 2, columns!);
  }
  const tall = resampled(w, node, x(w, node), 1, [n, a.sizes[0], wide, c]);
  return resampled(w, node, tall, 2, [n, a.sizes[0], a.sizes[1], c]);
};

const argReduce: Writer = (w, node, a: { axis: number; keepDims: boolean; kind: string; last: boolean }) => {
  const extent = shapeOf(w, node)[a.axis]!;
  const op = a.kind === "max" ? "ArgMax" : "ArgMin";
  const attrs = { output_type: attr.type("DT_INT32"), Tidx: attr.type("DT_INT32"), ...T(w, node) };
  const of = node.outputs[0]!;
  if (!a.last) {
    const found = w.add(a.keepDims ? `${of}/index` : of, op, [x(w, node), w.int(a.axis)], attrs);
    return a.keepDims ? toType(w, node, found) : found;
  }
  // The last of equals is the first from the other end.
  const turned = w.add(`${of}/turned`, "ReverseV2", [x(w, node), w.ints([a.axis])], T(w, node));
  const found = w.add(`${of}/index`, op, [turned, w.int(a.axis)], attrs);
  const back = w.add(`${of}/back`, "Sub", [w.int(extent - 1), found], { T: attr.type("DT_INT32") });
  return a.keepDims ? toType(w, node, back) : back;
};

/** TF.js takes the largest along the last axis. */
const topK: Writer = (w, node, a: { axis: number; k: number; largest: boolean }) => {
  const rank = shapeOf(w, node).length;
  const last = a.axis === rank - 1;
  const perm = Array.from({ length: rank }, (_, k) => k).filter((k) => k !== a.axis);
  const there = [...perm, a.axis];
  const back = there.map((_, k) => there.indexOf(k));
  const moved = last ? x(w, node) : transposed(w, `${node.name}/last`, x(w, node), there);
  const value = a.largest ? moved : w.add(`${node.name}/negative`, "Neg", [moved], T(w, node));
  const top = w.add(node.outputs[0]!, "TopKV2", [value, w.int(a.k)], { sorted: attr.bool(true), ...T(w, node) });
  const values = a.largest ? top : w.add(`${node.name}/values`, "Neg", [top], T(w, node));
  return [values, `${top}:1`].map((r, i) => (last ? r : transposed(w, `${node.name}/back_${i}`, r, back)));
};

const reduce =
  (op: string): Writer =>
  (w, node, a: { axes: number[]; keepDims: boolean }) =>
    w.add(node.outputs[0]!, op, [x(w, node), w.ints(a.axes)], { keep_dims: attr.bool(a.keepDims), ...T(w, node) });

/** Operators that move, choose and sum elements. */
export const moves: Table = {
  reshape: (w, node) => toType(w, node, x(w, node)),
  transpose: (w, node, a: { perm: number[] }) =>
    w.add(node.outputs[0]!, "Transpose", [x(w, node), w.ints(a.perm)], T(w, node)),
  slice,
  pad,
  concat: (w, node, a: { axis: number }) =>
    w.add(node.outputs[0]!, "ConcatV2", [...node.inputs.map((t) => w.ref(t)), w.int(a.axis)], {
      N: attr.int(node.inputs.length),
      ...T(w, node),
    }),
  gather,
  tile: (w, node, a: { repeats: number[] }) =>
    w.add(node.outputs[0]!, "Tile", [x(w, node), w.ints(a.repeats)], T(w, node)),
  broadcast_to: broadcastTo,
  resize,
  arg_reduce: argReduce,
  top_k: topK,
  reduce_sum: reduce("Sum"),
  reduce_mean: reduce("Mean"),
  reduce_max: reduce("Max"),
  reduce_min: reduce("Min"),
  reduce_prod: reduce("Prod"),
  cumsum: (w, node, a: { axis: number; exclusive: boolean; reverse: boolean }) =>
    w.add(node.outputs[0]!, "Cumsum", [x(w, node), w.int(a.axis)], {
      exclusive: attr.bool(a.exclusive),
      reverse: attr.bool(a.reverse),
      ...T(w, node),
    }),
};
