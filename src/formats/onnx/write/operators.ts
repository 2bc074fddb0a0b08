import { sizeOf, type Node } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { channelsFirst } from "../context.js";
import { biasName } from "../producer.js";
import { sameSequence, type Attributes, type AttributeValue, type OnnxWriter } from "./context.js";

/** How one operator of the IR is written. Adding an operator: one entry of `writers`. */
export type OperatorWriter = (w: OnnxWriter, node: Node, attrs: any) => void;

/** Position that axis `a` of a tensor of this rank has with channels first. */
const inFirst = (a: number, rank: number): number => channelsFirst(rank).indexOf(a);

const windowAttributes = (a: { strides: number[]; pads: number[]; dilations?: number[] }): Attributes => ({
  ...(a.dilations && { dilations: a.dilations }),
  pads: a.pads,
  strides: a.strides,
});

/** One operand, in the order that it has: `write` gets whether channels come first. */
function anyOrder(
  opType: string,
  attributes: (attrs: any, at: (axis: number) => number) => Attributes = () => ({}),
): OperatorWriter {
  return (w, node, attrs) => {
    const [x] = node.inputs as [string];
    const rank = w.type(x).shape.length;
    if (w.hasFirst(x))
      w.emitFirst(
        node,
        opType,
        [w.first(x)],
        attributes(attrs, (a) => inFirst(a, rank)),
      );
    else
      w.emit(
        node,
        opType,
        [w.plain(x)],
        attributes(attrs, (a) => a),
      );
  };
}

/** Whether a constant can be given to a partner of rank `rank` with channels first so that reading gives it back. */
function alignable(w: OnnxWriter, constant: string, rank: number): boolean {
  const { shape } = w.type(constant);
  return shape.length === rank || sizeOf(shape) === 1 || shape[0] !== 1;
}

/** A constant with its axes where a partner with channels first has them; unit axes at the front are left out. */
function aligned(w: OnnxWriter, constant: string, rank: number): string {
  const { shape } = w.type(constant);
  const { data } = w.graph.tensors.get(constant)!;
  if (shape.length === rank) return w.first(constant);
  if (sizeOf(shape) === 1) return w.plain(constant);
  const padded = [...new Array<number>(rank - shape.length).fill(1), ...shape];
  const perm = channelsFirst(rank);
  const moved = perm.map((p) => padded[p]!);
  let unit = 0;
  while (moved[unit] === 1) unit++;
  return w.constant(constant, `aligned to ${rank}`, moved.slice(unit), () => permute(data!, padded, perm));
}

function binary(opType: string): OperatorWriter {
  return (w, node) => {
    const rank = Math.max(...node.inputs.map((x) => w.type(x).shape.length));
    const first =
      rank > 2 &&
      node.inputs.some((x) => !w.isConstant(x) && w.hasFirst(x)) &&
      node.inputs.every((x) => (w.isConstant(x) ? alignable(w, x, rank) : w.type(x).shape.length === rank));
    if (first)
      w.emitFirst(
        node,
        opType,
        node.inputs.map((x) => (w.isConstant(x) ? aligned(w, x, rank) : w.first(x))),
      );
    else
      w.emit(
        node,
        opType,
        node.inputs.map((x) => w.plain(x)),
      );
  };
}

function pool(opType: string): OperatorWriter {
  return (w, node, attrs) =>
    w.emitFirst(node, opType, [w.first(node.inputs[0]!)], {
      ...(attrs.countIncludePad ? { count_include_pad: 1 } : {}),
      kernel_shape: attrs.kernel,
      ...windowAttributes(attrs),
    });
}

/** Over the whole image a global pool, else a reduction; the axes of a sum are an operand from operator set 13. */
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
    if (opType === "ReduceSum") inputs.push(w.literal(`${node.name}/axes`, "i64", [moved.length], moved));
    else attributes.axes = moved;
    if (first && keepDims) w.emitFirst(node, opType, inputs, attributes);
    else w.emit(node, opType, inputs, attributes, first);
  };
}

/** To the end of an axis, whatever its extent. */
const TO_THE_END = 2 ** 31;

/** Every operator that can be written, under its name in the IR. */
export const writers: Readonly<Record<string, OperatorWriter>> = {
  conv2d(w, node, attrs) {
    const [x, k, ...bias] = node.inputs as [string, string, ...string[]];
    const [kh, kw, ci, co] = w.type(k).shape as unknown as [number, number, number, number];
    const data = w.graph.tensors.get(k)!.data!;
    const weights = w.constant(k, "oihw", [co, ci, kh, kw], () => permute(data, [kh, kw, ci, co], [3, 2, 0, 1]));
    w.emitFirst(node, "Conv", [w.first(x), weights, ...bias.map((b) => w.plain(b))], {
      ...(attrs.groups > 1 ? { group: attrs.groups } : {}),
      kernel_shape: [kh, kw],
      ...windowAttributes(attrs),
    });
  },
  depthwise_conv2d(w, node, attrs) {
    const [x, k, ...bias] = node.inputs as [string, string, ...string[]];
    const [kh, kw, c, m] = w.type(k).shape as unknown as [number, number, number, number];
    const data = w.graph.tensors.get(k)!.data!;
    const weights = w.constant(k, "depthwise", [c * m, 1, kh, kw], () => permute(data, [kh, kw, c * m], [2, 0, 1]));
    w.emitFirst(node, "Conv", [w.first(x), weights, ...bias.map((b) => w.plain(b))], {
      group: c,
      kernel_shape: [kh, kw],
      ...windowAttributes(attrs),
    });
  },
  dense(w, node) {
    const [x, k, b] = node.inputs as [string, string, string | undefined];
    const inputs = [w.plain(x), w.plain(k)];
    if (w.type(x).shape.length === 2) return w.emit(node, "Gemm", b === undefined ? inputs : [...inputs, w.plain(b)]);
    if (b === undefined) return w.emit(node, "MatMul", inputs);
    const product = w.add("MatMul", node.name, inputs, w.freshName(`${node.name}/product`));
    w.emit({ ...node, name: biasName(node.name) }, "Add", [product, w.plain(b)]);
  },
  matmul(w, node, { transposeA, transposeB }) {
    const inputs = node.inputs.map((x) => w.plain(x));
    if (!transposeA && !transposeB) return w.emit(node, "MatMul", inputs);
    w.emit(node, "Gemm", inputs, { transA: Number(transposeA), transB: Number(transposeB) });
  },
  batch_norm(w, node, { epsilon }) {
    const [x, ...parameters] = node.inputs as [string, ...string[]];
    const inputs = parameters.map((p) => w.plain(p));
    const attributes = { epsilon: { float: epsilon as number } };
    if (w.type(x).shape.length > 2) w.emitFirst(node, "BatchNormalization", [w.first(x), ...inputs], attributes);
    else w.emit(node, "BatchNormalization", [w.plain(x), ...inputs], attributes);
  },
  add: binary("Add"),
  mul: binary("Mul"),
  relu: anyOrder("Relu"),
  sigmoid: anyOrder("Sigmoid"),
  relu6(w, node) {
    const [x] = node.inputs as [string];
    const bounds = [0, 6].map((v) => w.literal(`relu6/${v === 0 ? "min" : "max"}`, "f32", [], [v], `relu6 ${v}`));
    if (w.hasFirst(x)) w.emitFirst(node, "Clip", [w.first(x), ...bounds]);
    else w.emit(node, "Clip", [w.plain(x), ...bounds]);
  },
  softmax: anyOrder("Softmax", ({ axis }, at) => ({ axis: at(axis) })),
  max_pool2d: pool("MaxPool"),
  avg_pool2d: pool("AveragePool"),
  reduce_mean: reduce("ReduceMean", "GlobalAveragePool"),
  reduce_max: reduce("ReduceMax", "GlobalMaxPool"),
  reduce_sum: reduce("ReduceSum", null),
  pad(w, node, { before, after, value }: { before: number[]; after: number[]; value: number }) {
    const [x] = node.inputs as [string];
    const rank = before.length;
    const first = w.hasFirst(x);
    const order = first ? channelsFirst(rank) : before.map((_, i) => i);
    const pads = [...order.map((a) => before[a]!), ...order.map((a) => after[a]!)];
    const inputs = [first ? w.first(x) : w.plain(x), w.literal(`${node.name}/pads`, "i64", [2 * rank], pads)];
    if (value !== 0) inputs.push(w.literal(`${node.name}/value`, "f32", [], [value]));
    if (first) w.emitFirst(node, "Pad", inputs);
    else w.emit(node, "Pad", inputs);
  },
  slice(w, node, { begin, size }: { begin: number[]; size: number[] }) {
    const [x] = node.inputs as [string];
    const { shape, batchAxis } = w.type(x);
    const first = w.hasFirst(x);
    const cut = shape.flatMap((d, a) => (a === batchAxis || (begin[a] === 0 && size[a] === d) ? [] : [a]));
    const list = (name: string, values: number[]): string =>
      w.literal(`${node.name}/${name}`, "i64", [values.length], values);
    const inputs = [
      first ? w.first(x) : w.plain(x),
      list(
        "starts",
        cut.map((a) => begin[a]!),
      ),
      list(
        "ends",
        cut.map((a) => (size[a] === -1 ? TO_THE_END : begin[a]! + size[a]!)),
      ),
      list(
        "axes",
        cut.map((a) => (first ? inFirst(a, shape.length) : a)),
      ),
    ];
    if (first) w.emitFirst(node, "Slice", inputs);
    else w.emit(node, "Slice", inputs);
  },
  reshape(w, node, { shape }: { shape: number[] }) {
    const [x] = node.inputs as [string];
    const first = w.hasFirst(x) && sameSequence(w.type(x).shape);
    const target = w.literal(`${node.name}/shape`, "i64", [shape.length], shape);
    w.emit(node, "Reshape", [first ? w.first(x) : w.plain(x), target], {}, first);
  },
  transpose: (w, node, { perm }: { perm: number[] }) => w.transpose(node, perm),
  concat(w, node, { axis }: { axis: number }) {
    const { shape } = w.type(node.outputs[0]!);
    if (shape.length > 2 && node.inputs.some((x) => !w.isConstant(x) && w.hasFirst(x))) {
      w.emitFirst(
        node,
        "Concat",
        node.inputs.map((x) => w.first(x)),
        { axis: inFirst(axis, shape.length) },
      );
    } else
      w.emit(
        node,
        "Concat",
        node.inputs.map((x) => w.plain(x)),
        { axis },
      );
  },
};
