import type { Node } from "../../../model/types.js";
import { channelsFirst } from "../context.js";
import { indicesName } from "../producer.js";
import { ELEMENT_TYPE, sameSequence, type Attributes, type AttributeValue, type OnnxWriter } from "./context.js";
import { emitAnyOrder, inFirst, type OperatorWriter } from "./forms.js";

/** Over the whole image a global pool, else a reduction; its axes are an operand from operator set 18, for sums 13. */
function reduce(opType: string, global: string | null): OperatorWriter {
  return (w, node, { axes, keepDims }: { axes: number[]; keepDims: boolean }) => {
    const [x] = node.inputs as [string];
    const rank = w.type(x).shape.length;
    const perm = channelsFirst(rank);
    const image = rank === 4 && axes.join() === "1,2";
    if (image && keepDims && global) return w.emitFirst(node, global, [w.first(x)]);
    // Without the reduced axes, what is left must come in the same order in both layouts.
    const left = perm.filter((a) => !axes.includes(a));
    const first = w.hasFirst(x) && (keepDims || left.every((a, i) => i === 0 || left[i - 1]! < a));
    const moved = first ? axes.map((a) => inFirst(a, rank)).sort((a, b) => a - b) : axes;
    const inputs = [first ? w.first(x) : w.plain(x)];
    const attributes: Record<string, AttributeValue> = { keepdims: keepDims ? 1 : 0 };
    if (opType === "ReduceSum" || w.opset >= 18) {
      inputs.push(w.literal(`${node.name}/axes`, "i64", [moved.length], moved));
    } else attributes.axes = moved;
    if (first && keepDims) w.emitFirst(node, opType, inputs, attributes);
    else w.emit(node, opType, inputs, attributes, first);
  };
}

/** To the end of an axis, whatever its extent; and the last bound before it, for what ends at index 0 going back. */
const TO_THE_END = 2 ** 31;
const BEFORE_THE_START = -(2 ** 31) + 1;

interface SliceAttrs {
  readonly begin: number[];
  readonly size: number[];
  readonly steps?: number[];
}

function slice(w: OnnxWriter, node: Node, { begin, size, steps }: SliceAttrs): void {
  const [x] = node.inputs as [string];
  const { shape, batchAxis } = w.type(x);
  const first = w.hasFirst(x);
  const step = (a: number): number => steps?.[a] ?? 1;
  const whole = (a: number): boolean => begin[a] === 0 && size[a] === shape[a] && step(a) === 1;
  const cut = shape.flatMap((_, a) => (a === batchAxis || whole(a) ? [] : [a]));
  const end = (a: number): number => {
    if (size[a] === -1) return Math.sign(step(a)) * TO_THE_END;
    const bound = begin[a]! + size[a]! * step(a);
    return bound < 0 ? BEFORE_THE_START : bound;
  };
  const list = (name: string, values: number[]): string =>
    w.literal(`${node.name}/${name}`, "i64", [values.length], values);
  const inputs = [
    first ? w.first(x) : w.plain(x),
    list(
      "starts",
      cut.map((a) => begin[a]!),
    ),
    list("ends", cut.map(end)),
    list(
      "axes",
      cut.map((a) => (first ? inFirst(a, shape.length) : a)),
    ),
  ];
  if (cut.some((a) => step(a) !== 1)) inputs.push(list("steps", cut.map(step)));
  if (first) w.emitFirst(node, "Slice", inputs);
  else w.emit(node, "Slice", inputs);
}

interface PadAttrs {
  readonly before: number[];
  readonly after: number[];
  readonly value: number;
  readonly mode?: string;
}

function pad(w: OnnxWriter, node: Node, { before, after, value, mode = "constant" }: PadAttrs): void {
  const [x] = node.inputs as [string];
  const rank = before.length;
  const order = w.hasFirst(x) ? channelsFirst(rank) : before.map((_, i) => i);
  const pads = [...order.map((a) => before[a]!), ...order.map((a) => after[a]!)];
  const more = [w.literal(`${node.name}/pads`, "i64", [2 * rank], pads)];
  if (value !== 0 && mode === "constant") {
    more.push(w.literal(`${node.name}/value`, w.type(x).dtype, [], [value]));
  }
  emitAnyOrder(w, node, "Pad", mode === "constant" ? {} : { mode }, more);
}

interface ResizeAttrs {
  readonly sizes: [number, number];
  readonly scales: [number, number] | null;
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
}

/** By scales where they give the sizes, else by sizes (operator set 18, which can leave out the batch). */
function resize(w: OnnxWriter, node: Node, a: ResizeAttrs): void {
  const [x] = node.inputs as [string];
  const attributes: Record<string, AttributeValue> = {
    mode: a.mode,
    coordinate_transformation_mode: a.coordinates,
    ...(a.mode === "nearest" && { nearest_mode: a.rounding }),
    ...(a.mode === "cubic" && { cubic_coeff_a: { float: a.cubicCoefficient } }),
    ...(a.excludeOutside && { exclude_outside: 1 }),
  };
  if (byScales(w.type(x).shape, a)) {
    const scales = w.literal(`${node.name}/scales`, "f32", [4], [1, 1, ...a.scales!]);
    return w.emitFirst(node, "Resize", [w.first(x), "", scales], attributes);
  }
  const sizes = w.literal(`${node.name}/sizes`, "i64", [2], a.sizes);
  w.emitFirst(node, "Resize", [w.first(x), "", "", sizes], { axes: [2, 3], ...attributes });
}

export function byScales(shape: readonly number[], { scales, sizes }: Pick<ResizeAttrs, "scales" | "sizes">): boolean {
  return scales !== null && scales.every((s, i) => Math.floor(shape[i + 1]! * Math.fround(s)) === sizes[i]);
}

/** Indices are 32-bit integers in the IR, 64-bit ones in ONNX. */
function asIndices(w: OnnxWriter, node: Node, indices: string, output: number): void {
  const { op, name, attrs, outputs } = node;
  const cast: Node = { op, attrs, inputs: [], outputs: [outputs[output]!], name: indicesName(name) };
  w.emit(cast, "Cast", [indices], { to: ELEMENT_TYPE.i32 });
}

export const movement: Readonly<Record<string, OperatorWriter>> = {
  reduce_mean: reduce("ReduceMean", "GlobalAveragePool"),
  reduce_max: reduce("ReduceMax", "GlobalMaxPool"),
  reduce_min: reduce("ReduceMin", null),
  reduce_prod: reduce("ReduceProd", null),
  reduce_sum: reduce("ReduceSum", null),
  pad,
  slice,
  resize,
  reshape(w, node, { shape }: { shape: number[] }) {
    const [x] = node.inputs as [string];
    const first = w.hasFirst(x) && sameSequence(w.type(x).shape);
    const target = w.literal(`${node.name}/shape`, "i64", [shape.length], shape);
    w.emit(node, "Reshape", [first ? w.first(x) : w.plain(x), target], {}, first);
  },
  transpose: (w, node, { perm }: { perm: number[] }) => w.transpose(node, perm),
  concat(w, node, { axis }: { axis: number }) {
    const { shape } = w.type(node.outputs[0]!);
    const first = shape.length > 2 && node.inputs.some((x) => !w.isConstant(x) && w.hasFirst(x));
    const inputs = node.inputs.map((x) => (first ? w.first(x) : w.plain(x)));
    if (first) w.emitFirst(node, "Concat", inputs, { axis: inFirst(axis, shape.length) });
    else w.emit(node, "Concat", inputs, { axis });
  },
  gather(w, node, { axis }: { axis: number }) {
    const [x, indices] = node.inputs as [string, string];
    w.emit(node, "Gather", [w.plain(x), w.plain(indices)], { axis });
  },
  tile(w, node, { repeats }: { repeats: number[] }) {
    const list = w.literal(`${node.name}/repeats`, "i64", [repeats.length], repeats);
    w.emit(node, "Tile", [w.plain(node.inputs[0]!), list]);
  },
  /** An extent of 1 keeps that of the operand, which the batch needs. */
  broadcast_to(w, node, { shape }: { shape: number[] }) {
    const target = shape.map((d) => (d === -1 ? 1 : d));
    const list = w.literal(`${node.name}/shape`, "i64", [shape.length], target);
    w.emit(node, "Expand", [w.plain(node.inputs[0]!), list]);
  },
  arg_reduce(w, node, a: { axis: number; keepDims: boolean; kind: string; last?: boolean }) {
    const [x] = node.inputs as [string];
    const attributes: Attributes = {
      axis: a.axis,
      keepdims: Number(a.keepDims),
      ...(a.last && { select_last_index: 1 }),
    };
    const opType = a.kind === "max" ? "ArgMax" : "ArgMin";
    asIndices(w, node, w.add(opType, node.name, [w.plain(x)], w.freshName(`${node.name}/i64`), attributes), 0);
  },
  top_k(w, node, a: { axis: number; k: number; largest?: boolean }) {
    const [x] = node.inputs as [string];
    const k = w.literal(`${node.name}/k`, "i64", [1], [a.k]);
    const indices = w.freshName(`${node.name}/i64`);
    const attributes = { axis: a.axis, ...(a.largest === false && { largest: 0 }) };
    w.emitMany(node, "TopK", [w.plain(x), k], attributes, [null, indices]);
    asIndices(w, node, indices, 1);
  },
  cumsum(w, node, a: { axis: number; exclusive?: boolean; reverse?: boolean }) {
    const axis = w.literal(`${node.name}/axis`, "i64", [], [a.axis]);
    const attributes = { ...(a.exclusive && { exclusive: 1 }), ...(a.reverse && { reverse: 1 }) };
    w.emit(node, "CumSum", [w.plain(node.inputs[0]!), axis], attributes);
  },
};
