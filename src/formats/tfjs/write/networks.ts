import { sizeOf, type Node } from "../../../model/types.js";
import { samePadding } from "../../shared/window.js";
import { attr, type TfjsWriter, type Writer } from "./context.js";
import { toType, transposed } from "./moves.js";

type Table = Readonly<Record<string, Writer>>;
type Pair = readonly [number, number];
type Pads = readonly [top: number, left: number, bottom: number, right: number];

const x = (w: TfjsWriter, node: Node, i = 0): string => w.ref(node.inputs[i]!);

interface Geometry {
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
}

/** Attributes for height and width among those of all four axes. */
const planar = (p: Pair): object => attr.ints([1, p[0], p[1], 1]);

/** SAME and VALID where they say the same, else the numbers. */
function padding(size: Pair, kernel: Pair, a: Geometry): Record<string, object> {
  const [top, left, bottom, right] = a.pads;
  if (a.pads.every((p) => p === 0)) return { padding: attr.text("VALID") };
  const same = [0, 1].map((k) => samePadding(size[k]!, kernel[k]!, a.strides[k]!, a.dilations[k]!));
  if (same[0]![0] === top && same[0]![1] === bottom && same[1]![0] === left && same[1]![1] === right) {
    return { padding: attr.text("SAME") };
  }
  return { padding: attr.text("EXPLICIT"), explicit_paddings: attr.ints([0, 0, top, bottom, left, right, 0, 0]) };
}

function geometry(size: Pair, kernel: Pair, a: Geometry): Record<string, object> {
  return {
    strides: planar(a.strides),
    dilations: planar(a.dilations),
    data_format: attr.text("NHWC"),
    ...padding(size, kernel, a),
  };
}

const extent = (w: TfjsWriter, tensor: string): Pair => w.typeOf(tensor).shape.slice(1, 3) as unknown as Pair;

const fusedBias = { fused_ops: attr.texts(["BiasAdd"]), num_args: attr.int(1), epsilon: attr.float(0) };

/** Taps that a dilation leaves out, as zeros: TF.js knows no dilation beside a stride, nor in transposed convolutions. */
function spread(w: TfjsWriter, node: Node, dilations: Pair): { kernel: string; size: Pair } {
  const { shape } = w.typeOf(node.inputs[1]!);
  const data = w.data(node.inputs[1]!);
  const [kh, kw, ...rest] = shape as [number, number, number, number];
  const size: Pair = [(kh - 1) * dilations[0] + 1, (kw - 1) * dilations[1] + 1];
  if (dilations.every((d) => d === 1)) return { kernel: x(w, node, 1), size };
  if (!data) throw w.unsupported(node, "is dilated with a computed kernel");
  const inner = sizeOf(rest);
  const wide = new Float32Array(size[0] * size[1] * inner);
  for (let i = 0; i < kh; i++)
    for (let j = 0; j < kw; j++) {
      const from = (data as Float32Array).subarray((i * kw + j) * inner, (i * kw + j + 1) * inner);
      wide.set(from, (i * dilations[0] * size[1] + j * dilations[1]) * inner);
    }
  return { kernel: w.constant(`${node.name}/spread`, "f32", [...size, ...rest], wide), size };
}

/** Kernel and geometry that TF.js can do. */
function feasible(w: TfjsWriter, node: Node, a: Geometry): { kernel: string; attrs: Record<string, object> } {
  const size = extent(w, node.inputs[0]!);
  const [kh, kw] = w.typeOf(node.inputs[1]!).shape as [number, number];
  const both = a.dilations.some((d) => d > 1) && a.strides.some((s) => s > 1);
  if (!both) return { kernel: x(w, node, 1), attrs: geometry(size, [kh, kw], a) };
  const dense = spread(w, node, a.dilations);
  return { kernel: dense.kernel, attrs: geometry(size, dense.size, { ...a, dilations: [1, 1] }) };
}

/** Groups of channels one by one. `kernelAxis` is the kernel's axis of outputs. */
function grouped(
  w: TfjsWriter,
  node: Node,
  groups: number,
  kernel: string,
  one: (input: string, kernel: string, i: number) => string,
  kernelAxis: 2 | 3,
): string {
  const input = w.typeOf(node.inputs[0]!).shape[3]! / groups;
  const { shape } = w.typeOf(node.inputs[1]!);
  const each = shape[kernelAxis]! / groups;
  const parts = Array.from({ length: groups }, (_, i) => {
    const begin = [0, 0, 0, i * input];
    const part = w.add(`${node.name}/input_${i}`, "Slice", [x(w, node), w.ints(begin), w.ints([-1, -1, -1, input])]);
    const at = [0, 1, 2, 3].map((k) => (k === kernelAxis ? i * each : 0));
    const size = [0, 1, 2, 3].map((k) => (k === kernelAxis ? each : -1));
    return one(part, w.add(`${node.name}/kernel_${i}`, "Slice", [kernel, w.ints(at), w.ints(size)]), i);
  });
  return w.add(`${node.name}/groups`, "ConcatV2", [...parts, w.int(3)], { N: attr.int(groups) });
}

function biased(w: TfjsWriter, node: Node, value: string): string {
  return node.inputs.length > 2 ? w.add(node.outputs[0]!, "BiasAdd", [value, x(w, node, 2)]) : value;
}

const conv2d: Writer = (w, node, a: Geometry & { groups: number }) => {
  const { kernel, attrs } = feasible(w, node, a);
  if (a.groups > 1) {
    const one = (input: string, part: string, i: number): string =>
      w.add(`${node.name}/group_${i}`, "Conv2D", [input, part], attrs);
    return biased(w, node, grouped(w, node, a.groups, kernel, one, 3));
  }
  if (node.inputs.length === 2) return w.add(node.outputs[0]!, "Conv2D", [x(w, node), kernel], attrs);
  return w.add(node.outputs[0]!, "_FusedConv2D", [x(w, node), kernel, x(w, node, 2)], { ...attrs, ...fusedBias });
};

const depthwise: Writer = (w, node, a: Geometry) => {
  const { kernel, attrs } = feasible(w, node, a);
  if (node.inputs.length === 2) return w.add(node.outputs[0]!, "DepthwiseConv2dNative", [x(w, node), kernel], attrs);
  const operands = [x(w, node), kernel, x(w, node, 2)];
  return w.add(node.outputs[0]!, "FusedDepthwiseConv2dNative", operands, { ...attrs, ...fusedBias });
};

/**
 * The gradient of the convolution in the other direction. Its size is an operand, so the number of samples is taken from
 * the shape of x where it is open.
 */
const convTranspose: Writer = (w, node, a: Geometry & { outputPads: Pair; groups: number }) => {
  const { kernel, size } = spread(w, node, a.dilations);
  const [n, h, wide] = w.typeOf(node.inputs[0]!).shape as [number, number, number];
  const [, oh, ow, co] = w.typeOf(node.outputs[0]!).shape as [number, number, number, number];
  const [top, left, bottom, right] = a.pads;
  // Whatever lies beyond the reach of the last input must be less than a stride; the rest is added as zeros.
  const extra = [0, 1].map((k) => Math.min(a.outputPads[k]!, a.strides[k]! - 1)) as [number, number];
  const beyond = [a.outputPads[0] - extra[0], a.outputPads[1] - extra[1]];
  const made: Pair = [
    (h - 1) * a.strides[0] + size[0] - top - bottom + extra[0],
    (wide - 1) * a.strides[1] + size[1] - left - right + extra[1],
  ];
  const attrs = geometry(made, size, { strides: a.strides, dilations: [1, 1], pads: a.pads });
  const perOut = co / a.groups;
  const samples = batchOf(w, node, n);
  const one = (input: string, part: string, i: number): string => {
    const filter = w.add(`${node.name}/filter_${i}`, "Transpose", [part, w.ints([0, 1, 3, 2])]);
    const dims = [samples, w.int(made[0]), w.int(made[1]), w.int(perOut)];
    const shape = w.add(`${node.name}/shape_${i}`, "Pack", dims, {
      N: attr.int(4),
      axis: attr.int(0),
      T: attr.type("DT_INT32"),
    });
    return w.add(`${node.name}/part_${i}`, "Conv2DBackpropInput", [shape, filter, input], attrs);
  };
  const y = a.groups === 1 ? one(x(w, node), kernel, 0) : grouped(w, node, a.groups, kernel, one, 2);
  const widths = [0, 0, 0, oh - made[0], 0, ow - made[1], 0, 0];
  const whole = beyond.every((b) => b === 0) ? y : w.add(`${node.name}/extended`, "Pad", [y, w.ints(widths, [4, 2])]);
  return biased(w, node, whole);
};

/** The extent of the batch axis of a tensor as a scalar. */
function batchOf(w: TfjsWriter, node: Node, fixed: number, tensor = node.inputs[0]!): string {
  const { batchAxis } = w.typeOf(tensor);
  if (batchAxis === null) return w.int(fixed);
  const shape = w.add(`${node.name}/extents`, "Shape", [w.ref(tensor)], { out_type: attr.type("DT_INT32") });
  const range = [w.ints([batchAxis]), w.ints([batchAxis + 1]), w.ints([1])];
  return w.add(`${node.name}/samples`, "StridedSlice", [shape, ...range], {
    begin_mask: attr.int(0),
    end_mask: attr.int(0),
    ellipsis_mask: attr.int(0),
    new_axis_mask: attr.int(0),
    shrink_axis_mask: attr.int(1),
    T: attr.type("DT_INT32"),
  });
}

interface Pool extends Omit<Geometry, "dilations"> {
  readonly dilations?: Pair;
  readonly kernel: Pair;
  readonly countIncludePad?: boolean;
  readonly padsCounted?: Pads;
}

/** Pools have SAME and VALID only: other padding is a node before them, of a value that never wins or that counts. */
function pool(w: TfjsWriter, node: Node, op: string, a: Pool & Geometry, value: number): string {
  const size = extent(w, node.inputs[0]!);
  const attrs = geometry(size, a.kernel, a);
  const counted = op === "AvgPool" && a.countIncludePad === true;
  const plain = a.pads.every((p) => p === 0) || (!counted && !("explicit_paddings" in attrs));
  const of = node.outputs[0]!;
  if (plain) return w.add(of, op, [x(w, node)], { ksize: planar(a.kernel), ...attrs });
  const [top, left, bottom, right] = a.pads;
  const widths = w.ints([0, 0, top, bottom, left, right, 0, 0], [4, 2]);
  const padded = w.add(`${node.name}/padded`, "PadV2", [x(w, node), widths, w.scalar(value)]);
  const valid = geometry(size, a.kernel, { ...a, pads: [0, 0, 0, 0] });
  return w.add(of, op, [padded], { ksize: planar(a.kernel), ...valid });
}

const maxPool: Writer = (w, node, a: Pool) => {
  if (a.dilations?.some((d) => d > 1)) throw w.unsupported(node, "is dilated");
  return pool(w, node, "MaxPool", { ...a, dilations: [1, 1] }, -3.4028234663852886e38);
};

const avgPool: Writer = (w, node, given: Pool) => {
  if (given.dilations?.some((d) => d > 1)) throw w.unsupported(node, "is dilated");
  const a = { ...given, dilations: [1, 1] as const };
  const y = pool(w, node, "AvgPool", a, 0);
  const divided = a.countIncludePad === true;
  const size = extent(w, node.inputs[0]!);
  const same = !("explicit_paddings" in geometry(size, a.kernel, a));
  const partly = divided && a.padsCounted?.some((p, i) => p !== a.pads[i]);
  if (a.pads.every((p) => p === 0) || (divided ? !partly : same)) return y;
  // The window was divided by all its elements; those that do not count are taken out of the divisor.
  const factor = corrections(size, extent(w, node.outputs[0]!), a, divided ? (a.padsCounted ?? a.pads) : [0, 0, 0, 0]);
  return w.add(node.outputs[0]!, "Mul", [y, w.constant(`${node.name}/window`, "f32", factor.shape, factor.data)]);
};

/** Elements of a window over those of it that count, for each output pixel. */
function corrections(size: Pair, out: Pair, a: Pool, counted: Pads): { shape: number[]; data: Float32Array } {
  const along = (k: 0 | 1): number[] =>
    Array.from({ length: out[k] }, (_, i) => {
      const first = i * a.strides[k] - a.pads[k];
      const low = Math.max(first, -counted[k]);
      return Math.min(first + a.kernel[k], size[k] + counted[k + 2]!) - low;
    });
  const [rows, columns] = [along(0), along(1)];
  const all = a.kernel[0] * a.kernel[1];
  return {
    shape: [1, out[0], out[1], 1],
    data: Float32Array.from(rows.flatMap((r) => columns.map((c) => all / (r * c)))),
  };
}

const dense: Writer = (w, node) => {
  const { shape } = w.typeOf(node.inputs[0]!);
  const operands = node.inputs.map((t) => w.ref(t));
  const attrs = { transpose_a: attr.bool(false), transpose_b: attr.bool(false) };
  if (shape.length === 2) {
    return node.inputs.length === 3
      ? w.add(node.outputs[0]!, "_FusedMatMul", operands, { ...attrs, ...fusedBias })
      : w.add(node.outputs[0]!, "MatMul", operands, attrs);
  }
  // Products of other ranks are those of the rows.
  const features = shape[shape.length - 1]!;
  const rows = w.add(`${node.name}/rows`, "Reshape", [operands[0]!, w.ints([-1, features])]);
  const y =
    node.inputs.length === 3
      ? w.add(`${node.name}/product`, "_FusedMatMul", [rows, ...operands.slice(1)], { ...attrs, ...fusedBias })
      : w.add(`${node.name}/product`, "MatMul", [rows, operands[1]!], attrs);
  return toType(w, node, y);
};

/** TF.js repeats one operand for all of the other, not axis by axis: then both are brought to all leading axes. */
const matmul: Writer = (w, node, a: { transposeA: boolean; transposeB: boolean }) => {
  const leading = node.inputs.map((t) => sizeOf(w.typeOf(t).shape.slice(0, -2)));
  const batched = node.inputs.map((t) => leadingBatch(w, t));
  const out = sizeOf(w.typeOf(node.outputs[0]!).shape.slice(0, -2));
  const same = leading.every((n) => n === out) && batched[0] === batched[1];
  const one = leading.some((n, i) => n === 1 && !batched[i]);
  const operands = node.inputs.map((t, i) => (same || one ? w.ref(t) : repeated(w, node, t, i)));
  return w.add(node.outputs[0]!, "BatchMatMulV2", operands, {
    adj_x: attr.bool(a.transposeA),
    adj_y: attr.bool(a.transposeB),
  });
};

function leadingBatch(w: TfjsWriter, tensor: string): boolean {
  const { shape, batchAxis } = w.typeOf(tensor);
  return batchAxis !== null && batchAxis < shape.length - 2;
}

/** An operand with all leading axes of the product; where it lacks the batch, the other operand says how many. */
function repeated(w: TfjsWriter, node: Node, tensor: string, i: number): string {
  const out = w.typeOf(node.outputs[0]!);
  const own = w.typeOf(tensor);
  const rank = out.shape.length;
  const missing = rank - own.shape.length;
  const open = own.shape.map((d, k) => (k === own.batchAxis ? -1 : d));
  const shape = [...Array.from({ length: missing }, () => 1), ...open];
  const whole =
    missing === 0 ? w.ref(tensor) : w.add(`${node.name}/operand_${i}`, "Reshape", [w.ref(tensor), w.ints(shape)]);
  const other = node.inputs[1 - i]!;
  const counts = shape.map((d, k) => {
    if (k >= rank - 2) return w.int(1);
    if (k === out.batchAxis && d !== -1) return batchOf(w, node, 1, other);
    return w.int(d === -1 ? 1 : out.shape[k]! / d);
  });
  const multiples = w.add(`${node.name}/repeats_${i}`, "Pack", counts, {
    N: attr.int(rank),
    axis: attr.int(0),
    T: attr.type("DT_INT32"),
  });
  return w.add(`${node.name}/repeated_${i}`, "Tile", [whole, multiples]);
}

/** The last axis only: another is moved there. */
const softmax: Writer = (w, node, { axis }: { axis: number }) => {
  const rank = w.typeOf(node.inputs[0]!).shape.length;
  if (axis === rank - 1) return w.add(node.outputs[0]!, "Softmax", [x(w, node)]);
  const there = [...Array.from({ length: rank }, (_, k) => k).filter((k) => k !== axis), axis];
  const moved = transposed(w, `${node.name}/last`, x(w, node), there);
  const y = w.add(`${node.name}/softmax`, "Softmax", [moved]);
  return transposed(w, node.outputs[0]!, y, there.map((_, k) => there.indexOf(k))); // prettier-ignore
};

const batchNorm: Writer = (w, node, { epsilon }: { epsilon: number }) => {
  const operands = node.inputs.map((t) => w.ref(t));
  return w.add(node.outputs[0]!, "FusedBatchNormV3", operands, {
    epsilon: attr.float(epsilon),
    is_training: attr.bool(false),
    data_format: attr.text("NHWC"),
    U: attr.type("DT_FLOAT"),
  });
};

/** (x - mean) / sqrt(variance + epsilon) over axes that stay as 1, times gamma, plus beta. */
function normalised(w: TfjsWriter, node: Node, value: string, axes: number[], epsilon: number): string {
  const over = { keep_dims: attr.bool(true) };
  const named = (what: string): string => `${node.name}/${what}`;
  const mean = w.add(named("mean"), "Mean", [value, w.ints(axes)], over);
  const centred = w.add(named("centred"), "Sub", [value, mean]);
  const square = w.add(named("square"), "Square", [centred]);
  const variance = w.add(named("variance"), "Mean", [square, w.ints(axes)], over);
  const scale = w.add(named("scale"), "Rsqrt", [w.add(named("sum"), "AddV2", [variance, w.scalar(epsilon)])]);
  return w.add(named("normalised"), "Mul", [centred, scale]);
}

function scaled(w: TfjsWriter, node: Node, value: string): string {
  const [, gamma, beta] = node.inputs;
  const times = gamma === undefined ? value : w.add(`${node.name}/gamma`, "Mul", [value, w.ref(gamma)]);
  return beta === undefined ? times : w.add(node.outputs[0]!, "AddV2", [times, w.ref(beta)]);
}

const layerNorm: Writer = (w, node, a: { axis: number; epsilon: number }) => {
  const rank = w.typeOf(node.inputs[0]!).shape.length;
  const axes = Array.from({ length: rank - a.axis }, (_, k) => a.axis + k);
  return scaled(w, node, normalised(w, node, x(w, node), axes, a.epsilon));
};

/** Groups as an axis of their own: [n, pixels, groups, channels of one]. */
const groupNorm: Writer = (w, node, a: { groups: number; epsilon: number }) => {
  const { shape } = w.typeOf(node.inputs[0]!);
  const channels = shape[shape.length - 1]!;
  const pixels = sizeOf(shape.slice(1, -1));
  const split = [-1, pixels, a.groups, channels / a.groups];
  const apart = w.add(`${node.name}/groups`, "Reshape", [x(w, node), w.ints(split)]);
  return scaled(w, node, toType(w, node, normalised(w, node, apart, [1, 3], a.epsilon)));
};

/** Convolutions, pools, products and normalisations. */
export const networks: Table = {
  conv2d,
  depthwise_conv2d: depthwise,
  conv_transpose2d: convTranspose,
  max_pool2d: maxPool,
  avg_pool2d: avgPool,
  dense,
  matmul,
  softmax,
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  group_norm: groupNorm,
};
