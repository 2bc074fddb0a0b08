import { sizeOf } from "../../../model/types.js";
import { axesOf, axisOf, permOf } from "../../shared/check.js";
import { reshapeTarget } from "../../shared/reshape.js";
import { channelsLast, refuseComputed, shapeInFile, type Converter, type OnnxOp } from "../context.js";
import { TensorProto_DataType as T } from "../generated/onnx_pb.js";

function emitReshape(op: OnnxOp, target: readonly number[]): void {
  const { fileBatch, ours } = op.context;
  const shape = reshapeTarget(op.type(0), target, op.where, { fileBatch, trustDynamic: ours });
  // Where either the image or the channels are one element, both orders hold the values in the same sequence.
  const { shape: from } = op.type(0);
  const same = from.length > 2 && (from[1] === 1 || sizeOf(from.slice(2)) === 1);
  op.emit("reshape", [op.hasLast(0) && same ? op.inputLast(0) : op.input(0)], { shape });
}

/** The target is an operand, before operator set 5 an attribute; 0 copies an extent unless `allowzero`. */
export const Reshape: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a target" }),
  convert(op) {
    const from = shapeInFile(op, 0);
    const target = op.constantInts(1) ?? [];
    const copied = op.int("allowzero", 0) === 0 ? target.map((d, i) => (d === 0 ? (from[i] ?? 0) : d)) : target;
    emitReshape(op, copied);
  },
};

export const Flatten: Converter = {
  convert(op) {
    const from = shapeInFile(op, 0);
    const raw = op.int("axis", 1);
    const axis = raw === from.length ? raw : axisOf(raw, from.length, op.where);
    emitReshape(op, [sizeOf(from.slice(0, axis)), sizeOf(from.slice(axis))]);
  },
};

export const Squeeze: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "axes" }),
  convert(op) {
    const from = shapeInFile(op, 0);
    const axes = op.intsFrom("axes", 1)?.map((a) => axisOf(a, from.length, op.where));
    emitReshape(
      op,
      from.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
    );
  },
};

export const Unsqueeze: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "axes" }),
  convert(op) {
    const shape = shapeInFile(op, 0);
    const given = op.intsFrom("axes", 1) ?? [];
    for (const a of axesOf(given, shape.length + given.length, op.where)) shape.splice(a, 0, 1);
    emitReshape(op, shape);
  },
};

export const Transpose: Converter = {
  convert(op) {
    const rank = op.type(0).shape.length;
    const perm = op.ints("perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
    op.context.transpose(op.inputName(0), permOf(perm, rank, op.where), op.output, op.name);
  },
};

/** pads [begin of each axis, end of each axis], for some axes only from operator set 18. */
export const Pad: Converter = {
  refuse(op) {
    const mode = op.string("mode", "constant");
    if (mode !== "constant") return `mode ${mode}`;
    const computed = refuseComputed(op, { 1: "pads", 2: "a value", 3: "axes" });
    if (computed !== null) return computed;
    const known = op.ints("pads") ?? (op.constant(1) ? op.constantInts(1) : null);
    return known?.some((p) => p < 0) ? "negative pads" : null;
  },
  convert(op) {
    const rank = op.type(0).shape.length;
    const pads = op.intsFrom("pads", 1) ?? [];
    const given = op.constantInts(3);
    const axes = given ? given.map((a) => axisOf(a, rank, op.where)) : Array.from({ length: rank }, (_, i) => i);
    if (pads.length !== 2 * axes.length || pads.some((p) => !Number.isSafeInteger(p) || p < 0 || p > 1 << 24)) {
      throw op.malformed(`has pads [${pads}] for a tensor of rank ${rank}`);
    }
    const order = op.hasLast(0) ? channelsLast(rank) : Array.from({ length: rank }, (_, i) => i);
    const width = (end: number): number[] =>
      order.map((axis) => {
        const i = axes.indexOf(axis);
        return i < 0 ? 0 : pads[i + end * axes.length]!;
      });
    const value = Number(op.constant(2)?.data[0] ?? op.float("value", 0));
    const attrs = { before: width(0), after: width(1), value };
    if (op.hasLast(0)) op.emitLast("pad", [op.inputLast(0)], attrs);
    else op.emit("pad", [op.input(0)], attrs);
  },
};

export const Concat: Converter = {
  convert(op) {
    const indices = op.node.input.map((_, i) => i);
    const rank = op.type(0).shape.length;
    const axis = axisOf(op.int("axis", 1), rank, op.where);
    const last =
      rank > 2 &&
      indices.some((i) => !op.isConstant(i) && op.hasLast(i)) &&
      indices.every((i) => op.type(i).shape.length === rank);
    if (last) {
      const inputs = indices.map((i) => op.inputLast(i));
      op.emitLast("concat", inputs, { axis: channelsLast(rank).indexOf(axis) });
    } else
      op.emit(
        "concat",
        indices.map((i) => op.input(i)),
        { axis },
      );
  },
};

/** Bounds are attributes, from operator set 10 operands; negative ones count from the end. */
export const Slice: Converter = {
  refuse(op) {
    const computed = refuseComputed(op, { 1: "starts", 2: "ends", 3: "axes", 4: "steps" });
    if (computed !== null) return computed;
    return op.constant(4) && op.constantInts(4)!.some((s) => s !== 1) ? "steps" : null;
  },
  convert(op) {
    const shape = shapeInFile(op, 0);
    const { batchAxis } = op.type(0);
    const starts = op.intsFrom("starts", 1) ?? [];
    const ends = op.intsFrom("ends", 2) ?? [];
    const axes = (op.intsFrom("axes", 3) ?? starts.map((_, i) => i)).map((a) => axisOf(a, shape.length, op.where));
    if (starts.length !== ends.length || starts.length !== axes.length) {
      throw op.malformed(`has ${starts.length} starts, ${ends.length} ends and ${axes.length} axes`);
    }
    const begin = shape.map(() => 0);
    const size = shape.map((d, axis) => (axis === batchAxis ? -1 : d));
    axes.forEach((axis, i) => {
      const d = shape[axis]!;
      // Our writer says "to the end" by a bound that no extent reaches.
      if (op.context.ours && ends[i]! >= 2 ** 31) {
        begin[axis] = starts[i]!;
        size[axis] = -1;
        return;
      }
      const at = (n: number): number => Math.min(Math.max(n < 0 ? n + d : n, 0), d);
      const [from, to] = [at(starts[i]!), at(ends[i]!)];
      if (from === 0 && to === d) return;
      if (axis === batchAxis) throw op.malformed("takes a part of the batch");
      if (to <= from) throw op.malformed(`takes nothing of axis ${axis} of [${shape}]`);
      begin[axis] = from;
      size[axis] = to - from;
    });
    if (op.hasLast(0)) {
      const order = channelsLast(shape.length);
      op.emitLast("slice", [op.inputLast(0)], { begin: order.map((a) => begin[a]!), size: order.map((a) => size[a]!) });
    } else op.emit("slice", [op.input(0)], { begin, size });
  },
};

export const Identity: Converter = { convert: (op) => op.alias() };

/** Does nothing at inference; its mask is not read. */
export const Dropout: Converter = {
  refuse(op) {
    const training = op.constant(2);
    if (op.has(2) && (!training || Number(training.data[0]) !== 0)) return "training_mode";
    return op.node.output.length > 1 && op.node.output[1] !== "" ? "a mask" : null;
  },
  convert: (op) => op.alias(),
};

/** Between floats nothing changes. */
export const Cast: Converter = {
  refuse(op) {
    const to = op.int("to", T.UNDEFINED);
    return [T.FLOAT, T.FLOAT16, T.DOUBLE].includes(to) ? null : `the target ${T[to] ?? to}`;
  },
  convert(op) {
    if (op.type(0).dtype !== "f32") throw op.malformed(`turns ${op.type(0).dtype} into floats, which cannot be read`);
    op.alias();
  },
};

/** Sum of all operands, one after another. */
export const Sum: Converter = {
  convert(op) {
    const last = op.node.input.every((_, i) => !op.isConstant(i) && op.hasLast(i));
    const inputs = op.node.input.map((_, i) => (last ? op.inputLast(i) : op.input(i)));
    if (inputs.length === 1) return op.alias();
    const sum = inputs.slice(1, -1).reduce((acc, x, i) => op.step(`sum_${i}`, "add", [acc, x]), inputs[0]!);
    if (last) op.emitLast("add", [sum, inputs.at(-1)]);
    else op.emit("add", [sum, inputs.at(-1)]);
  },
};
