import { create } from "@bufbuild/protobuf";
import { sizeOf } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { AttributeProtoSchema } from "../generated/onnx_pb.js";
import type { Converter, OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";
import {
  batchFirst,
  onImage,
  padsOf,
  pairOf,
  refuseWindow,
  spatialList,
  spatialOf,
  statedPads,
  windowOf,
} from "./window.js";

/** Weights of rank 2 + k with their axes in the order `perm` and the shape `shape`; computed ones are moved as they run. */
function movedWeights(
  op: OnnxOp,
  i: number,
  layout: string,
  perm: readonly number[],
  shape: readonly number[],
): string {
  const from = op.type(i).shape;
  if (op.isConstant(i)) {
    return op.weight(
      i,
      layout,
      shape,
      (d) => permute(d, from, perm),
      (axis) => (shape.length === perm.length ? perm.indexOf(axis) : null),
    );
  }
  const moved = op.step("weights", "transpose", [op.input(i)], { perm });
  return sizeOf(shape) === sizeOf(from) && shape.length === perm.length
    ? moved
    : op.step("image_weights", "reshape", [moved], { shape: [...shape] });
}

function checkedWeights(op: OnnxOp, of: number): readonly number[] {
  const { shape } = op.type(of);
  if (shape.length !== op.type(0).shape.length) {
    throw op.malformed(`needs weights of rank ${op.type(0).shape.length}, got [${shape}]`);
  }
  return shape;
}

/**
 * x [n, ci, ...], weights [co, ci/group, ...], bias?, over 1 to 3 spatial axes.
 * With as many groups as channels it is a depthwise convolution: output channel c * m + j in both.
 */
export const Conv: Converter = {
  refuse: refuseWindow,
  convert(op) {
    const size = spatialOf(op);
    const shape = checkedWeights(op, 1);
    const [co, perGroup, ...kernel] = shape as [number, number, ...number[]];
    const channels = op.type(0).shape[1]!;
    const groups = op.int("group", 1);
    if (groups < 1 || perGroup * groups !== channels || co % groups !== 0) {
      throw op.malformed(`has ${groups} groups for ${channels} channels and weights [${shape}]`);
    }
    const bias = op.has(2) ? [op.input(2)] : [];
    const window = windowOf(op, size, kernel);
    if (size.length === 3) return convolveVolume(op, window, bias, groups);
    const [kh, kw] = pairOf(kernel, [0, 1].slice(0, size.length), 1);
    const axes = size.map((_, i) => i);
    const geometry = {
      strides: pairOf(window.strides, axes, 1),
      dilations: pairOf(window.dilations, axes, 1),
      pads: padsOf(window.begin, window.end, axes),
    };
    // Our writer states the group of a depthwise convolution even where it is 1.
    const depthwise =
      perGroup === 1 && op.isConstant(1) && (groups > 1 || (op.context.ours && op.hasAttribute("group")));
    onImage(op, (x) => {
      if (depthwise) {
        // [c * m, 1, kh, kw] -> [kh, kw, c * m], which is [kh, kw, c, m].
        const w = op.weight(
          1,
          "depthwise",
          [kh, kw, channels, co / channels],
          (d) => permute(d, [co, kh, kw], [1, 2, 0]),
          (axis) => (axis === 0 && co === channels ? 2 : null),
        );
        return ["depthwise_conv2d", [x, w, ...bias], geometry];
      }
      const w =
        size.length === 2
          ? movedWeights(op, 1, "hwio", [2, 3, 1, 0], [kh, kw, perGroup, co])
          : movedWeights(op, 1, "lio", [2, 1, 0], [kh, kw, perGroup, co]);
      return ["conv2d", [x, w, ...bias], { ...geometry, groups }];
    });
  },
};

/** The slice of [n, d, h, w, c] at depth `begin`, `begin + step`, ...; `count` of them, as images [n * count, h, w, c]. */
function depths(op: OnnxOp, x: string, begin: number, count: number, step: number): string {
  const { shape } = op.typeOf(x);
  const [n, , h, w, c] = shape as [number, number, number, number, number];
  const part = op.step("depths", "slice", [x], {
    begin: [0, begin, 0, 0, 0],
    size: [op.typeOf(x).batchAxis === null ? n : -1, count, h, w, c],
    steps: [1, step, 1, 1, 1],
  });
  return batchFirst(op, "images", part, [n * count, h, w, c]);
}

/** Weights of one depth of the kernel, [co, perGroup, kh, kw] of [co, perGroup, kd, kh, kw], moved by `perm`. */
function depthWeights(op: OnnxOp, z: number, perm: readonly number[]): string {
  const [co, ci, kd, kh, kw] = op.type(1).shape as [number, number, number, number, number];
  const area = kh * kw;
  if (!op.isConstant(1)) {
    const part = op.step(`depth_${z}`, "slice", [op.input(1)], {
      begin: [0, 0, z, 0, 0],
      size: [co, ci, 1, kh, kw],
    });
    const flat = op.step("plane", "reshape", [part], { shape: [co, ci, kh, kw] });
    return op.step("weights", "transpose", [flat], { perm });
  }
  const shape = perm.map((p) => [co, ci, kh, kw][p]!);
  return op.weight(1, `depth ${z}`, shape, (d) => {
    const plane = new Float32Array(co * ci * area);
    for (let i = 0; i < co * ci; i++) plane.set(d.subarray((i * kd + z) * area, (i * kd + z + 1) * area), i * area);
    return permute(plane, [co, ci, kh, kw], perm);
  });
}

/** A sum of 2-D convolutions, one for each depth of the kernel. */
function convolveVolume(op: OnnxOp, window: ReturnType<typeof windowOf>, bias: string[], groups: number): void {
  const { kernel, strides, dilations, begin, end } = window;
  const input = op.inputLast(0);
  const [n, d] = op.typeOf(input).shape as [number, number];
  const padded =
    begin[0] === 0 && end[0] === 0
      ? input
      : op.step("padded", "pad", [input], { before: [0, begin[0]!, 0, 0, 0], after: [0, end[0]!, 0, 0, 0], value: 0 });
  const count = Math.floor((d + begin[0]! + end[0]! - dilations[0]! * (kernel[0]! - 1) - 1) / strides[0]!) + 1;
  if (count < 1) throw op.malformed("has a window that does not fit into its operand");
  const attrs = {
    strides: pairOf(strides, [1, 2], 1),
    dilations: pairOf(dilations, [1, 2], 1),
    pads: padsOf(begin, end, [1, 2]),
    groups,
  };
  let sum = "";
  for (let z = 0; z < kernel[0]!; z++) {
    const images = depths(op, padded, z * dilations[0]!, count, strides[0]!);
    const operands = [images, depthWeights(op, z, [2, 3, 1, 0]), ...(z === 0 ? bias : [])];
    const y = op.step(`depth_${z}`, "conv2d", operands, attrs);
    sum = z === 0 ? y : op.step("sum", "add", [sum, y]);
  }
  const [, oh, ow, co] = op.typeOf(sum).shape as [number, number, number, number];
  op.give(batchFirst(op, "volume", sum, [n, count, oh, ow, co]), { last: true });
}

/** Padding, output padding and kernel of a transposed convolution, with `output_shape` and `auto_pad` as numbers. */
function transposedWindow(op: OnnxOp, size: readonly number[], kernel: readonly number[]) {
  const rank = size.length;
  const strides = spatialList(op, "strides", 1, rank, 1);
  const dilations = spatialList(op, "dilations", 1, rank, 1);
  const outputPads = spatialList(op, "output_padding", 0, rank, 0);
  const wanted = op.ints("output_shape")?.slice(-rank) ?? null;
  const auto = op.string("auto_pad", "NOTSET");
  const same = auto === "SAME_UPPER" || auto === "SAME_LOWER";
  if (wanted === null && !same) {
    const { begin, end } = auto === "VALID" ? statedPads0(rank) : statedPads(op, rank);
    return { strides, dilations, outputPads, begin, end };
  }
  const begin: number[] = [];
  const end: number[] = [];
  size.forEach((d, i) => {
    const full = (d - 1) * strides[i]! + outputPads[i]! + dilations[i]! * (kernel[i]! - 1) + 1;
    const total = full - (wanted?.[i] ?? d * strides[i]!);
    // What is missing at the end is output padding; what is too much is cut, the odd one where auto_pad says.
    if (total < 0) outputPads[i]! -= total;
    const cut = Math.max(total, 0);
    const small = Math.floor(cut / 2);
    begin.push(auto === "SAME_UPPER" ? small : cut - small);
    end.push(cut - begin[i]!);
  });
  return { strides, dilations, outputPads, begin, end };
}

function statedPads0(rank: number): { begin: number[]; end: number[] } {
  return { begin: new Array<number>(rank).fill(0), end: new Array<number>(rank).fill(0) };
}

/** x [n, ci, ...], weights [ci, co/group, ...], bias?. */
export const ConvTranspose: Converter = {
  refuse: refuseWindow,
  convert(op) {
    const size = spatialOf(op);
    const [ci, perGroup, ...kernel] = checkedWeights(op, 1) as [number, number, ...number[]];
    const groups = op.int("group", 1);
    if (ci !== op.type(0).shape[1] || groups < 1 || ci % groups !== 0) {
      throw op.malformed(`has ${groups} groups for ${op.type(0).shape[1]} channels and weights [${op.type(1).shape}]`);
    }
    const window = transposedWindow(op, size, kernel);
    const bias = op.has(2) ? [op.input(2)] : [];
    if (size.length === 3) return transposeVolume(op, window, bias, groups, kernel);
    const axes = size.map((_, i) => i);
    const [kh, kw] = pairOf(kernel, axes, 1);
    const attrs = {
      strides: pairOf(window.strides, axes, 1),
      dilations: pairOf(window.dilations, axes, 1),
      pads: padsOf(window.begin, window.end, axes),
      outputPads: pairOf(window.outputPads, axes, 0),
      groups,
    };
    onImage(op, (x) => {
      const w =
        size.length === 2
          ? movedWeights(op, 1, "hwio of transposed", [2, 3, 0, 1], [kh, kw, ci, perGroup])
          : movedWeights(op, 1, "lio of transposed", [2, 0, 1], [kh, kw, ci, perGroup]);
      return ["conv_transpose2d", [x, w, ...bias], attrs];
    });
  },
};

/** For each depth of the kernel a 2-D one, whose results are laid `stride` apart and added. */
function transposeVolume(
  op: OnnxOp,
  { strides, dilations, outputPads, begin, end }: ReturnType<typeof transposedWindow>,
  bias: string[],
  groups: number,
  kernel: readonly number[],
): void {
  const input = op.inputLast(0);
  const [n, d] = op.typeOf(input).shape as [number, number];
  const images = depths(op, input, 0, d, 1);
  const attrs = {
    strides: pairOf(strides, [1, 2], 1),
    dilations: pairOf(dilations, [1, 2], 1),
    pads: padsOf(begin, end, [1, 2]),
    outputPads: pairOf(outputPads, [1, 2], 0),
    groups,
  };
  const stride = strides[0]!;
  const spread = (d - 1) * stride + 1;
  const full = spread + dilations[0]! * (kernel[0]! - 1) + outputPads[0]!;
  let sum = "";
  for (let z = 0; z < kernel[0]!; z++) {
    const y = op.step(`depth_${z}`, "conv_transpose2d", [images, depthWeights(op, z, [2, 3, 0, 1])], attrs);
    const [, oh, ow, co] = op.typeOf(y).shape as [number, number, number, number];
    const apart = op.step("apart", "pad", [batchFirst(op, "depths", y, [n, d, 1, oh * ow * co])], {
      before: [0, 0, 0, 0],
      after: [0, 0, stride - 1, 0],
      value: 0,
    });
    const row = batchFirst(op, "row", apart, [n, d * stride, oh, ow, co]);
    const batch = op.typeOf(row).batchAxis === null ? n : -1;
    const cut = op.step("cut", "slice", [row], { begin: [0, 0, 0, 0, 0], size: [batch, spread, oh, ow, co] });
    const before = z * dilations[0]!;
    const placed = op.step("placed", "pad", [cut], {
      before: [0, before, 0, 0, 0],
      after: [0, full - spread - before, 0, 0, 0],
      value: 0,
    });
    sum = z === 0 ? placed : op.step("sum", "add", [sum, placed]);
  }
  const [, , oh, ow, co] = op.typeOf(sum).shape as [number, number, number, number, number];
  const size = [op.typeOf(sum).batchAxis === null ? n : -1, full - begin[0]! - end[0]!, oh, ow, co];
  const y = op.step("volume", "slice", [sum], { begin: [0, begin[0]!, 0, 0, 0], size });
  if (bias.length === 0) op.give(y, { last: true });
  else op.emitLast("add", [y, bias[0]!]);
}

/** A convolution of each channel over what came before; the last moments are a result, for the next call to begin with. */
export const CausalConvWithState: Converter = {
  refuse(op) {
    const activation = op.string("activation", "none");
    return ["none", "silu", "swish"].includes(activation) ? null : `activation ${activation}`;
  },
  convert(op) {
    const p = new Pieces(op);
    const [n, c, length] = op.type(0).shape as [number, number, number];
    const taps = checkedWeights(op, 1)[2]!;
    const before = { before: [0, 0, taps - 1], after: [0, 0, 0], value: 0 };
    const x = op.input(0);
    const whole = taps === 1 ? x : op.has(3) ? p.do("concat", [op.input(3), x], { axis: 2 }) : p.do("pad", [x], before);
    const name = `${op.output}/whole`;
    op.context.bind(name, { file: whole, dtype: "f32" });
    const silu = op.string("activation", "none") !== "none";
    const output = silu ? `${op.output}/plain` : op.output;
    const weights = [1, 2].filter((i) => op.has(i)).map((i) => op.inputName(i));
    const group = create(AttributeProtoSchema, { name: "group", i: BigInt(c) });
    Conv.convert(op.derived({ opType: "Conv", input: [name, ...weights], output: [output], attribute: [group] }));
    if (silu) op.emit("silu", [op.context.inFileOrder(output)]);
    if (!op.wants(1)) return;
    const state = op.node.output[1]!;
    if (taps === 1) op.giveNothing([n, c, 0], state);
    else op.give(p.part(whole, 2, length, taps - 1), { output: state });
  },
};

/** Inference form; the channel is axis 1. */
export const BatchNormalization: Converter = {
  refuse(op) {
    if (op.int("training_mode", 0) !== 0) return "training_mode";
    if (op.int("spatial", 1) !== 1) return "spatial 0";
    return refuseComputedStatistics(op);
  },
  convert(op) {
    const parameters = [1, 2, 3, 4].map((i) => op.input(i));
    const attrs = { epsilon: op.float("epsilon", 1e-5) };
    if (op.type(0).shape.length > 2) op.emitLast("batch_norm", [op.inputLast(0), ...parameters], attrs);
    else op.emit("batch_norm", [op.input(0), ...parameters], attrs);
  },
};

/** Before operator set 14 further outputs asked for training; they are empty at inference. */
function refuseComputedStatistics(op: OnnxOp): string | null {
  return op.node.output.slice(1).some((name) => name !== "") ? "statistics as outputs" : null;
}
