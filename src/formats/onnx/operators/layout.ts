import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { axesOf, axisOf, permOf } from "../../shared/check.js";
import { depthToSpace, spaceToDepth } from "../../shared/decompose/space.js";
import { split } from "../../shared/decompose/split.js";
import { reshapeTarget } from "../../shared/reshape.js";
import { channelsLast } from "../context.js";
import { refuseComputed, refuseComputedShape, shapeInFile, type Converter, type OnnxOp } from "../op.js";
import { sliceRanges } from "../slice-ranges.js";
import { allInputs } from "./broadcast.js";
import { padByOperands, sliceByOperands } from "./placed.js";

function emitReshape(op: OnnxOp, target: readonly number[], carrier: number | null = null): void {
  const { fileBatch, ours } = op.context;
  const type = op.type(0);
  // The element that was computed from the number of samples says itself where the batch goes.
  const traced = carrier !== null && !target.includes(-1) ? target.map((d, i) => (i === carrier ? -1 : d)) : target;
  const shape = reshapeTarget(type, traced, op.where, { fileBatch, trustDynamic: ours || traced !== target });
  // Where either the image or the channels are one element, both orders hold the values in the same sequence.
  const { shape: from } = type;
  const same = from.length > 2 && (from[1] === 1 || sizeOf(from.slice(2)) === 1);
  op.emit("reshape", [op.hasLast(0) && same ? op.inputLast(0) : op.input(0)], { shape });
}

/** The target is an operand, before operator set 5 an attribute; 0 copies an extent unless `allowzero`. */
export const Reshape: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "a target" }),
  convert(op) {
    if (op.isComputed(1)) return emitReshape(op, op.stated()!);
    const from = shapeInFile(op, 0);
    const target = op.constantInts(1, { atFileBatch: true }) ?? [];
    const copied = op.int("allowzero", 0) === 0 ? target.map((d, i) => (d === 0 ? (from[i] ?? 0) : d)) : target;
    emitReshape(op, copied, op.batchElement(1));
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
  refuse: (op) => refuseComputedShape(op, { 1: "axes" }),
  convert(op) {
    if (op.isComputed(1)) return emitReshape(op, op.stated()!);
    const from = shapeInFile(op, 0);
    const axes = op.intsFrom("axes", 1)?.map((a) => axisOf(a, from.length, op.where));
    if (axes?.some((a) => from[a] !== 1)) throw op.malformed(`drops axes [${axes}] of [${from}], which are not all 1`);
    emitReshape(
      op,
      from.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
    );
  },
};

export const Unsqueeze: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "axes" }),
  convert(op) {
    if (op.isComputed(1)) return emitReshape(op, op.stated()!);
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

const PAD_MODES: readonly string[] = ["constant", "reflect", "edge", "wrap"];

/** pads [begin of each axis, end of each axis], for some axes only from operator set 18; negative ones cut. */
export const Pad: Converter = {
  refuse(op) {
    const mode = op.string("mode", "constant");
    return PAD_MODES.includes(mode) ? refuseComputedShape(op, { 1: "pads", 3: "axes" }) : `mode ${mode}`;
  },
  convert(op) {
    if (op.isComputed(1) || op.isComputed(3)) return padByOperands(op, op.stated()!);
    const { shape } = op.type(0);
    const rank = shape.length;
    const pads = op.intsFrom("pads", 1) ?? [];
    const given = op.constantInts(3);
    const axes = given ? given.map((a) => axisOf(a, rank, op.where)) : shape.map((_, i) => i);
    if (pads.length !== 2 * axes.length || pads.some((p) => !Number.isSafeInteger(p) || Math.abs(p) > 1 << 24)) {
      throw op.malformed(`has pads [${pads}] for a tensor of rank ${rank}`);
    }
    const mode = op.string("mode", "constant");
    const { last } = op.anyOrder;
    let { x } = op.anyOrder;
    const order = last ? channelsLast(rank) : shape.map((_, i) => i);
    const width = (end: number): number[] =>
      order.map((axis) => {
        const i = axes.indexOf(axis);
        return i < 0 ? 0 : pads[i + end * axes.length]!;
      });
    const [before, after] = [width(0), width(1)];
    if ([...before, ...after].some((p) => p < 0)) x = cropped(op, x, before, after);
    const computed = op.has(2) && op.constant(2) === undefined;
    const value = (computed ? null : op.scalarOf(2)) ?? op.float("value", 0);
    const attrs = { before: before.map(atLeast0), after: after.map(atLeast0), value };
    if (computed && mode === "constant") return padWith(op, x, attrs, last);
    op.emit("pad", [x], mode === "constant" ? attrs : { ...attrs, value: 0, mode }, { last });
  },
};

/** A value that is computed goes where a mask of ones, padded with zeros, is zero. */
function padWith(op: OnnxOp, x: string, attrs: { before: number[]; after: number[] }, last: boolean): void {
  const { shape, batchAxis } = op.typeOf(x);
  const inner = shape.map((d, i) => (i === batchAxis ? 1 : d));
  const ones = op.literal("inside", inner, new Uint8Array(sizeOf(inner)).fill(1));
  const mask = op.step("mask", "pad", [ones], { ...attrs, value: 0 });
  const padded = op.step("padded", "pad", [x], { ...attrs, value: 0 });
  const value =
    op.typeOf(op.input(2)).shape.length === 0 ? op.input(2) : op.step("value", "reshape", [op.input(2)], { shape: [] });
  op.emit("select", [mask, padded, value], {}, { last, dtype: op.dtype(0) });
}

const atLeast0 = (n: number): number => Math.max(n, 0);

function cropped(op: OnnxOp, x: string, before: readonly number[], after: readonly number[]): string {
  const { shape, batchAxis } = op.typeOf(x);
  return op.step("cut", "slice", [x], {
    begin: before.map((p) => atLeast0(-p)),
    size: shape.map((d, i) => (i === batchAxis ? -1 : d - atLeast0(-before[i]!) - atLeast0(-after[i]!))),
  });
}

export const Concat: Converter = {
  convert(op) {
    // Operands without elements are what is left of optional ones.
    const indices = allInputs(op).filter((i) => !op.type(i).shape.includes(0));
    if (indices.length === 0) throw op.unsupported("tensors without elements");
    const rank = op.type(indices[0]!).shape.length;
    const axis = axisOf(op.int("axis", 1), rank, op.where);
    const last =
      rank > 2 &&
      indices.some((i) => !op.isConstant(i) && op.hasLast(i)) &&
      indices.every((i) => op.type(i).shape.length === rank && op.constant(i)?.alt === undefined);
    const tensors = indices.map((i) => (last ? op.inputLast(i) : batchedLike(op, i, indices)));
    op.emit("concat", tensors, { axis: last ? channelsLast(rank).indexOf(axis) : axis }, { last });
  },
};

/** Operand i in file order; where it has no batch and the others have one, repeated for every sample. */
function batchedLike(op: OnnxOp, i: number, indices: readonly number[]): string {
  const tensor = op.input(i);
  const own = op.typeOf(tensor);
  const batch = indices.map((k) => op.type(k).batchAxis).find((axis) => axis !== null) ?? null;
  if (own.batchAxis !== null || batch === null || own.shape[batch] !== 1 || op.context.ours) return tensor;
  return op.context.repeated(tensor, batch);
}

/** Bounds are attributes, from operator set 10 operands; negative ones count from the end. */
export const Slice: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "starts", 2: "ends", 3: "axes", 4: "steps" }),
  convert(op) {
    if ([1, 2, 3, 4].some((i) => op.isComputed(i))) return sliceByOperands(op, op.stated()!);
    const shape = shapeInFile(op, 0);
    const { batchAxis } = op.type(0);
    const starts = op.intsFrom("starts", 1) ?? [];
    const ends = op.ints("ends") ?? op.constantInts(2, { atFileBatch: true }) ?? [];
    const axes = op.intsFrom("axes", 3);
    const steps = op.constantInts(4);
    const ranges = sliceRanges(op, shape, { starts, ends, axes, steps });
    const open = new Set<number>();
    ranges.forEach(({ begin, size, step }, axis) => {
      const whole = begin === 0 && step === 1 && size === shape[axis];
      if (axis === batchAxis && !whole) throw new IdapError("E_BATCH", `${op.where} takes a part of the batch`);
      if (axis === batchAxis) open.add(axis);
    });
    const sizes = ranges.map((r) => r.size);
    if (sizes.includes(0)) return op.giveNothing(sizes);
    // Our writer says "to the end" by a bound that no extent reaches.
    if (op.context.ours) {
      (axes ?? starts.map((_, i) => i)).forEach((axis, i) => Math.abs(ends[i]!) >= 2 ** 31 && open.add(axis));
    }
    const { x, last } = op.anyOrder;
    const order = last ? channelsLast(shape.length) : shape.map((_, i) => i);
    const stepped = ranges.some((r) => r.step !== 1);
    op.emit(
      "slice",
      [x],
      {
        begin: order.map((a) => ranges[a]!.begin),
        size: order.map((a) => (open.has(a) ? -1 : ranges[a]!.size)),
        ...(stepped && { steps: order.map((a) => ranges[a]!.step) }),
      },
      { last },
    );
  },
};

/** Parts along an axis: their sizes are an attribute, an operand, or as many equal ones as there are outputs. */
export const Split: Converter = {
  refuse: (op) => (op.node.output.every((_, i) => op.stated(i) !== null) ? null : refuseComputed(op, { 1: "sizes" })),
  convert(op) {
    const { shape } = op.type(0);
    const axis = axisOf(op.int("axis", 0), shape.length, op.where);
    const count = op.node.output.length;
    const extent = shape[axis]!;
    const even = Math.ceil(extent / count);
    const stated = op.isComputed(1) ? op.node.output.map((_, i) => op.stated(i)![axis]!) : null;
    const sizes =
      stated ?? op.intsFrom("split", 1) ?? Array.from({ length: count }, (_, i) => Math.min(even, extent - i * even));
    if (sizes.length !== count || sizes.some((n) => n < 0) || sizes.reduce((a, b) => a + b, 0) !== extent) {
      throw op.malformed(`has ${count} outputs and parts of [${sizes}] for the extent ${extent}`);
    }
    const parts = sizes.flatMap((size, i) => (size > 0 ? [{ size, output: op.node.output[i]! }] : []));
    sizes.forEach((size, i) => {
      if (size === 0)
        op.giveNothing(
          shape.map((d, k) => (k === axis ? 0 : d)),
          op.node.output[i],
        );
    });
    const { x, last } = op.anyOrder;
    const at = last ? channelsLast(shape.length).indexOf(axis) : axis;
    const dtype = op.dtype(0);
    if (op.typeOf(x).batchAxis === at) throw new IdapError("E_BATCH", `${op.where} takes the batch apart`);
    const tensors = split(
      op.emitter,
      x,
      at,
      parts.map((p) => p.size),
    );
    parts.forEach(({ output }, i) => op.give(tensors[i]!, { output, last, dtype }));
  },
};

export const Identity: Converter = { convert: (op) => op.alias() };

/** Does nothing at inference, when everything is kept. */
export const Dropout: Converter = {
  refuse(op) {
    const training = op.constant(2);
    return op.has(2) && (!training || Number(training.data[0]) !== 0) ? "training_mode" : null;
  },
  convert(op) {
    op.alias();
    if (!op.wants(1)) return;
    const { x, last } = op.anyOrder;
    const any = op.step("any", "cast", [x], { to: "bool" });
    op.emit("logical_or", [any, op.scalar("true", 1, "bool")], {}, { last, output: op.node.output[1]! });
  },
};

/** Broadcasts both ways: an extent of 1 in the target keeps the operand's. */
export const Expand: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "a target" }),
  convert(op) {
    const stated = op.isComputed(1) ? op.stated() : null;
    const target = stated ?? op.constantInts(1, { atFileBatch: true }) ?? [];
    const carrier = stated ? null : op.batchElement(1);
    const own = op.type(0);
    const rank = Math.max(own.shape.length, target.length);
    const from = [...new Array<number>(rank - own.shape.length).fill(1), ...own.shape];
    const to = [...new Array<number>(rank - target.length).fill(1), ...target];
    const batch = own.batchAxis === null ? null : own.batchAxis + rank - own.shape.length;
    const sample = carrier === null ? null : carrier + rank - target.length;
    const shape = from.map((d, i) => (i === batch ? -1 : i === sample || to[i] === 1 ? d : to[i]!));
    if (batch !== null && to[batch] !== 1 && to[batch] !== own.shape[own.batchAxis!]! * op.context.fileBatch) {
      throw new IdapError("E_BATCH", `${op.where} repeats the samples of the batch`);
    }
    const same = shape.length === own.shape.length && shape.every((d, i) => d === -1 || d === own.shape[i]);
    if (sample === null || sample === batch) {
      if (same && !op.context.ours) return op.alias();
      return op.emit("broadcast_to", [op.input(0)], { shape });
    }
    const wide = same ? op.input(0) : op.step("wide", "broadcast_to", [op.input(0)], { shape });
    op.give(op.context.repeated(wide, sample));
  },
};

export const Tile: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "repeats" }),
  convert(op) {
    const stated = op.isComputed(1) ? op.stated()! : null;
    const from = shapeInFile(op, 0);
    const repeats = stated ? stated.map((d, i) => d / from[i]!) : (op.constantInts(1, { atFileBatch: true }) ?? []);
    const sample = stated ? null : op.batchElement(1);
    const { shape, batchAxis } = op.type(0);
    if (repeats.length !== shape.length) throw op.malformed(`has ${repeats.length} repeats for [${shape}]`);
    if (repeats.includes(0)) throw op.unsupported("0 copies");
    if (repeats.some((n) => !Number.isInteger(n))) throw op.malformed(`cannot repeat [${from}] into [${stated}]`);
    if (batchAxis !== null && repeats[batchAxis] !== 1) {
      throw new IdapError("E_BATCH", `${op.where} repeats the samples of the batch`);
    }
    if (sample === null) return op.emit("tile", [op.input(0)], { repeats });
    if (shape[sample] !== 1) throw new IdapError("E_BATCH", `${op.where} repeats by the number of samples`);
    const others = repeats.map((n, i) => (i === sample ? 1 : n));
    const wide = others.every((n) => n === 1)
      ? op.input(0)
      : op.step("wide", "tile", [op.input(0)], { repeats: others });
    op.give(op.context.repeated(wide, sample));
  },
};

export const DepthToSpace: Converter = {
  convert(op) {
    const order = op.string("mode", "DCR") === "CRD" ? "crd" : "dcr";
    op.give(depthToSpace(op.emitter, op.inputLast(0), op.int("blocksize", 1), order), { last: true });
  },
};

export const SpaceToDepth: Converter = {
  convert(op) {
    const order = op.string("mode", "DCR") === "CRD" ? "crd" : "dcr";
    op.give(spaceToDepth(op.emitter, op.inputLast(0), op.int("blocksize", 1), order), { last: true });
  },
};

/** Cut or padded to the target around the middle; an odd rest is at the end. */
export const CenterCropPad: Converter = {
  refuse: (op) => refuseComputedShape(op, { 1: "a target" }),
  convert(op) {
    const { shape, batchAxis } = op.type(0);
    const stated = op.isComputed(1) ? op.stated()! : null;
    const target = stated ?? op.constantInts(1) ?? [];
    const axes = ((stated ? null : op.ints("axes")) ?? shape.map((_, i) => i)).map((a) =>
      axisOf(a, shape.length, op.where),
    );
    const begin = shape.map(() => 0);
    const size = shape.map((d, i) => (i === batchAxis ? -1 : d));
    const before = shape.map(() => 0);
    const after = shape.map(() => 0);
    axes.forEach((axis, i) => {
      const rest = target[i]! - shape[axis]!;
      const half = Math.floor(Math.abs(rest) / 2);
      if (rest < 0) {
        begin[axis] = half;
        size[axis] = target[i]!;
      } else if (rest > 0) {
        before[axis] = half;
        after[axis] = rest - half;
      }
    });
    const cut = op.step("cut", "slice", [op.input(0)], { begin, size });
    op.emit("pad", [cut], { before, after, value: 0 });
  },
};
