import { IdapError } from "../../../model/errors.js";
import { axesOf, axisOf, permOf } from "../../shared/check.js";
import { reverse } from "../../shared/decompose/arithmetic.js";
import { batchToSpace, depthToSpace, spaceToBatch, spaceToDepth } from "../../shared/decompose/space.js";
import { reshapeTarget } from "../../shared/reshape.js";
import { refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

function emitReshape(op: TfliteOp, target: readonly number[], trustDynamic = false): void {
  const x = op.input(0);
  const { fileBatch } = op.context;
  op.result("reshape", [x], { shape: reshapeTarget(op.type(x), target, op.where, { fileBatch, trustDynamic }) });
}

/** The target is operand 1 or, in old files, an option. What depends on the batch in a computed one is its axis. */
const RESHAPE: Converter = {
  refuse(op) {
    if (op.has(1)) return refuseComputed(op, { 1: "a target" });
    return op.option((o) => o.has(F.Reshape.newShape), false) ? null : "no target";
  },
  convert(op) {
    if (!op.has(1))
      return emitReshape(
        op,
        op.option((o) => o.ints(F.Reshape.newShape, 8), null)!,
      );
    const { one, other } = op.target(1);
    const target = one.map((d, i) => (other && d !== other[i] ? -1 : d));
    emitReshape(op, target, other !== null || op.context.source.ours);
  },
};

const SQUEEZE: Converter = {
  convert(op) {
    const { shape } = op.type(op.input(0));
    const dims = op.option((o) => o.ints(F.Squeeze.dims, 8), null) ?? [];
    const drop = dims.map((d) => axisOf(d, shape.length, op.where));
    emitReshape(
      op,
      atFileBatch(op).filter((d, i) => (drop.length > 0 ? !drop.includes(i) : d !== 1)),
    );
  },
};

const EXPAND_DIMS: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "an axis" }),
  convert(op) {
    const shape = atFileBatch(op);
    const [axis = 0] = op.ints(1);
    shape.splice(axisOf(axis, shape.length + 1, op.where), 0, 1);
    emitReshape(op, shape);
  },
};

/** Shape of operand 0 as the file wrote it. */
function atFileBatch(op: TfliteOp): number[] {
  const { shape, batchAxis } = op.type(op.input(0));
  return shape.map((d, i) => (i === batchAxis ? d * op.context.fileBatch : d));
}

const TRANSPOSE: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "an order of axes" }),
  convert(op) {
    const x = op.input(0);
    op.result("transpose", [x], { perm: permOf(op.ints(1), op.type(x).shape.length, op.where) });
  },
};

/** More than any real padding. */
const MOST_PADDING = 1 << 20;

/** Pairs (before, after) of operand `i`, one for each of `count` axes. */
function pairs(op: TfliteOp, i: number, count: number): [number, number][] {
  const list = op.ints(i);
  if (list.length !== 2 * count || list.some((p) => p < 0 || p > MOST_PADDING)) {
    throw new IdapError("E_FORMAT", `${op.where}: [${list}] are no paddings for ${count} axes`);
  }
  return Array.from({ length: count }, (_, k) => [list[2 * k]!, list[2 * k + 1]!]);
}

/** x, paddings [rank, 2], for PADV2 the value. */
const PAD: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "paddings", 2: "a value" }),
  convert(op) {
    const x = op.input(0);
    const widths = pairs(op, 1, op.type(x).shape.length);
    const number = (): number => (op.type(x).dtype === "f32" ? op.floats(2)[0]! : op.ints(2)[0]!);
    op.result("pad", [x], {
      before: widths.map((p) => p[0]),
      after: widths.map((p) => p[1]),
      value: op.has(2) ? number() : 0,
    });
  },
};

const MIRROR_PAD: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "paddings" }),
  convert(op) {
    const x = op.input(0);
    const widths = pairs(op, 1, op.type(x).shape.length);
    op.result("pad", [x], {
      before: widths.map((p) => p[0]),
      after: widths.map((p) => p[1]),
      value: 0,
      mode: op.option((o) => o.i8(F.MirrorPad.mode), 0) === 0 ? "reflect" : "symmetric",
    });
  },
};

const TILE: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "repeats" }),
  convert: (op) => op.result("tile", [op.input(0)], { repeats: op.ints(1) }),
};

/** A target that gives the batch of the operand keeps it. */
const BROADCAST_TO: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a target" }),
  convert(op) {
    const x = op.input(0);
    const { shape, batchAxis } = op.type(x);
    const { one, other } = op.target(1);
    const axis = batchAxis === null ? -1 : batchAxis + one.length - shape.length;
    const extents = one.map((d, i) => (i === axis && d === atFileBatch(op)[batchAxis!] ? -1 : d));
    if (other?.some((d, i) => d !== one[i] && i !== axis)) {
      throw new IdapError("E_BATCH", `${op.where}: its target depends on the size of the batch`);
    }
    op.result("broadcast_to", [x], { shape: extents });
  },
};

const REVERSE_V2: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "axes" }),
  convert(op) {
    const x = op.input(0);
    op.bind(reverse(op, x, axesOf(op.ints(1), op.type(x).shape.length, op.where)));
  },
};

/** Edge of the blocks of DEPTH_TO_SPACE and SPACE_TO_DEPTH. */
function blockOf(op: TfliteOp): number {
  const block = op.option((o) => o.i32(F.Block.size), 0);
  if (block < 1) throw new IdapError("E_FORMAT", `${op.where}: the block size is ${block}`);
  return block;
}

const DEPTH_TO_SPACE: Converter = { convert: (op) => op.bind(depthToSpace(op, op.input(0), blockOf(op))) };
const SPACE_TO_DEPTH: Converter = { convert: (op) => op.bind(spaceToDepth(op, op.input(0), blockOf(op))) };

/** x, blocks [m], paddings or crops [m, 2]. */
function blocks(move: typeof spaceToBatch): Converter {
  return {
    refuse: (op) => refuseComputed(op, { 1: "blocks", 2: "paddings" }),
    convert(op) {
      const sizes = op.ints(1);
      if (sizes.some((b) => b < 1)) throw new IdapError("E_FORMAT", `${op.where}: the blocks are [${sizes}]`);
      op.bind(move(op, op.input(0), sizes, pairs(op, 2, sizes.length)));
    },
  };
}

export const layout: Readonly<Record<string, Converter>> = {
  BATCH_TO_SPACE_ND: blocks(batchToSpace),
  BROADCAST_TO,
  DEPTH_TO_SPACE,
  EXPAND_DIMS,
  MIRROR_PAD,
  PAD,
  PADV2: PAD,
  RESHAPE,
  REVERSE_V2,
  SPACE_TO_BATCH_ND: blocks(spaceToBatch),
  SPACE_TO_DEPTH,
  SQUEEZE,
  TILE,
  TRANSPOSE,
};
