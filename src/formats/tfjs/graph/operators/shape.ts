import { IdapError } from "../../../../model/errors.js";
import { sizeOf } from "../../../../model/types.js";
import { axesOf, axisOf, partCount, permOf, tableSize } from "../../../shared/check.js";
import { oneHot, reverse } from "../../../shared/decompose/arithmetic.js";
import { dropAxis, insertAxis, transposed } from "../../../shared/decompose/emit.js";
import { batchToSpace, depthToSpace, spaceToBatch, spaceToDepth } from "../../../shared/decompose/space.js";
import { split, stack, unstack } from "../../../shared/decompose/split.js";
import { reshapeTarget } from "../../../shared/reshape.js";
import type { Converter, TfOp } from "../context.js";
import { dtypeOf } from "../graphdef.js";

type Table = Readonly<Record<string, Converter>>;
type Ends = [number, number];

/** More elements than this are not made from a shape. */
const MAX_FILLED = 1 << 24;

/** Extents from a constant; the one that depends on the batch says where it goes. */
function reshape(op: TfOp): string {
  const x = op.input(0);
  const { values, probe } = op.extents(1);
  const open = probe ? values.findIndex((d, i) => probe[i] !== d) : -1;
  const type = op.typeOf(x);
  if (op.isConstant(0)) {
    const known = values.reduce((n, d) => (d === -1 ? n : n * d), 1);
    return op.result("reshape", [x], { shape: values.map((d) => (d === -1 ? sizeOf(type.shape) / known : d)) });
  }
  if (open >= 0 && type.batchAxis !== null) {
    // Beside an extent that follows the batch, -1 is what is left.
    const known = values.reduce((n, d) => (d === -1 ? n : n * d), 1);
    const rest = sizeOf(type.shape) / known;
    return op.result("reshape", [x], { shape: values.map((d, i) => (i === open ? -1 : d === -1 ? rest : d)) });
  }
  return op.result("reshape", [x], { shape: reshapeTarget(type, values, op.where) });
}

/** All axes of extent 1, or those named. */
function squeeze(op: TfOp): string {
  let x = op.input(0);
  const { shape } = op.typeOf(x);
  const named = op.intList("squeeze_dims") ?? op.intList("axis") ?? [];
  const axes =
    named.length > 0 ? axesOf(named, shape.length, op.where) : shape.flatMap((d, axis) => (d === 1 ? [axis] : []));
  const wrong = axes.find((axis) => shape[axis] !== 1);
  if (wrong !== undefined) throw new IdapError("E_SHAPE", `${op.where} drops axis ${wrong} of [${shape}]`);
  for (const axis of axes.reverse()) x = dropAxis(op, x, axis);
  return x;
}

function expandDims(op: TfOp): string {
  const axis = op.has(1) ? op.numbers(1)[0] : op.int("dim", 0);
  return insertAxis(op, op.input(0), axisOf(axis ?? 0, op.rank() + 1, op.where));
}

/** The axis is the last operand (`ConcatV2`) or the first (`Concat`); pieces without elements do not matter. */
function concat(op: TfOp): string {
  const count = op.operands.length - 1;
  const at = op.node.op === "Concat" ? 0 : count;
  const parts = op.operands.flatMap((_, i) => (i === at || op.isEmpty(i) ? [] : [op.input(i)]));
  const [axis] = op.numbers(at);
  if (parts.length === 0 || axis === undefined) throw op.malformed("has nothing to join");
  if (parts.length === 1) return parts[0]!;
  return op.result("concat", parts, { axis: axisOf(axis, op.typeOf(parts[0]!).shape.length, op.where) });
}

function pack(op: TfOp): string {
  return stack(op, op.inputs, axisOf(op.int("axis", 0), op.rank() + 1, op.where));
}

function unpack(op: TfOp): string[] {
  return unstack(op, op.input(0), axisOf(op.int("axis", 0), op.rank(), op.where));
}

/** split_dim, value. */
function splitEvenly(op: TfOp): string[] {
  const axis = axisOf(op.numbers(0)[0] ?? 0, op.rank(1), op.where);
  const count = op.int("num_split", 1);
  const extent = op.typeOf(op.input(1)).shape[axis]!;
  if (count < 1 || extent % count !== 0)
    throw new IdapError("E_SHAPE", `${op.where} cuts ${extent} into ${count} parts`);
  return split(
    op,
    op.input(1),
    axis,
    Array.from({ length: partCount(count, op.where) }, () => extent / count),
  );
}

/** value, size_splits (one may be -1: the rest), split_dim. */
function splitBySizes(op: TfOp): string[] {
  const axis = axisOf(op.numbers(2)[0] ?? 0, op.rank(), op.where);
  const sizes = op.numbers(1);
  const known = sizes.reduce((n, d) => n + Math.max(d, 0), 0);
  const rest = op.typeOf(op.input(0)).shape[axis]! - known;
  return split(
    op,
    op.input(0),
    axis,
    sizes.map((d) => (d === -1 ? rest : d)),
  );
}

/** What of an axis is taken: begin, how many, and the step. */
interface Cut {
  readonly begin: number;
  readonly size: number;
  readonly step: number;
}

function slice(op: TfOp): string {
  const { shape, batchAxis } = op.typeOf(op.input(0));
  const [begin, size] = [op.numbers(1), op.extents(2).values];
  if (begin.length !== shape.length || size.length !== shape.length)
    throw op.malformed("slices another number of axes");
  const whole = (axis: number): boolean => begin[axis] === 0 && (size[axis] === -1 || size[axis] === shape[axis]);
  return op.result("slice", [op.input(0)], {
    begin,
    size: size.map((n, axis) => (axis === batchAxis && whole(axis) ? -1 : n)),
  });
}

/** Where a specification of begin, end and stride stands for several axes or for none. */
type Spec =
  { readonly kind: "range" | "index"; readonly at: number } | { readonly kind: "whole" } | { readonly kind: "new" };

function specsOf(op: TfOp, count: number, rank: number): Spec[] {
  const bit = (mask: string, i: number): boolean => ((op.int(mask, 0) >> i) & 1) === 1;
  const all = Array.from({ length: count }, (_, i) => i);
  const used = all.filter((i) => !bit("ellipsis_mask", i) && !bit("new_axis_mask", i)).length;
  const specs = all.flatMap((at): Spec[] => {
    if (bit("ellipsis_mask", at)) return Array.from({ length: rank - used }, () => ({ kind: "whole" }));
    if (bit("new_axis_mask", at)) return [{ kind: "new" }];
    return [{ kind: bit("shrink_axis_mask", at) ? "index" : "range", at }];
  });
  const given = specs.filter((s) => s.kind !== "new").length;
  if (given > rank) throw op.malformed(`slices ${given} axes of ${rank}`);
  return [...specs, ...Array.from({ length: rank - given }, (): Spec => ({ kind: "whole" }))];
}

/** numpy's rules for begin:end:stride, negative indices from the end, both clamped to the axis. */
function range(
  op: TfOp,
  at: number,
  extent: number,
  lists: { begin: number[]; end: number[]; strides: number[] },
): Cut {
  const bit = (mask: string): boolean => ((op.int(mask, 0) >> at) & 1) === 1;
  const step = lists.strides[at]!;
  if (step === 0) throw op.malformed("has a stride of 0");
  const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + extent : v, low), high);
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
  const begin = bit("begin_mask") ? (step > 0 ? 0 : extent - 1) : clamp(lists.begin[at]!, low, high);
  const end = bit("end_mask") ? (step > 0 ? extent : -1) : clamp(lists.end[at]!, low, high);
  return { begin, size: Math.max(Math.ceil((end - begin) / step), 0), step };
}

function index(op: TfOp, value: number, extent: number): Cut {
  const begin = value < 0 ? value + extent : value;
  if (begin < 0 || begin >= extent) throw new IdapError("E_RANGE", `${op.where} takes index ${value} of ${extent}`);
  return { begin, size: 1, step: 1 };
}

function stridedSlice(op: TfOp): string {
  let x = op.input(0);
  const { shape, batchAxis } = op.typeOf(x);
  const lists = { begin: op.numbers(1), end: op.extents(2).values, strides: op.numbers(3) };
  const specs = specsOf(op, lists.begin.length, shape.length);
  let axis = 0;
  const cuts = specs.flatMap((spec): Cut[] => {
    if (spec.kind === "new") return [];
    const extent = shape[axis++]!;
    if (spec.kind === "whole") return [{ begin: 0, size: extent, step: 1 }];
    return [spec.kind === "index" ? index(op, lists.begin[spec.at]!, extent) : range(op, spec.at, extent, lists)];
  });
  const empty = cuts.findIndex((c) => c.size === 0);
  if (empty >= 0) throw new IdapError("E_SHAPE", `${op.where} takes nothing of axis ${empty} of [${shape}]`);
  const isWhole = (c: Cut, k: number): boolean => c.begin === 0 && c.size === shape[k] && c.step === 1;
  if (!cuts.every(isWhole)) {
    x = op.emit("slice", [x], {
      begin: cuts.map((c) => c.begin),
      size: cuts.map((c, k) => (k === batchAxis && isWhole(c, k) && specs[k]?.kind !== "index" ? -1 : c.size)),
      ...(cuts.some((c) => c.step !== 1) && { steps: cuts.map((c) => c.step) }),
    });
  }
  // From the end, so that earlier positions stay.
  let place = specs.filter((s) => s.kind !== "new").length;
  for (const spec of [...specs].reverse()) {
    if (spec.kind === "new") x = insertAxis(op, x, place);
    else {
      place--;
      if (spec.kind === "index") x = dropAxis(op, x, place);
    }
  }
  return x;
}

function gather(op: TfOp): string {
  const axis = op.has(2) ? op.numbers(2)[0]! : op.int("axis", 0);
  const indices = op.input(1);
  const whole = op.typeOf(indices).dtype === "i32" ? indices : op.emit("cast", [indices], { to: "i32" });
  return op.result("gather", [op.input(0), whole], { axis: axisOf(axis, op.rank(), op.where) });
}

function tile(op: TfOp): string {
  const { values } = op.extents(1);
  // Repeated for each sample: that is what broadcasting does anyway.
  if (values.every((n) => n === 1)) return op.input(0);
  return op.result("tile", [op.input(0)], { repeats: op.numbers(1) });
}

function broadcastTo(op: TfOp): string {
  const x = op.input(0);
  const { values } = op.extents(1);
  const { shape, batchAxis } = op.typeOf(x);
  const skip = values.length - shape.length;
  return op.result("broadcast_to", [x], { shape: values.map((d, axis) => (axis - skip === batchAxis ? -1 : d)) });
}

function endsOf(op: TfOp, i: number): Ends[] {
  const flat = op.numbers(i);
  return Array.from({ length: flat.length / 2 }, (_, k): Ends => [flat[2 * k]!, flat[2 * k + 1]!]);
}

const pad = (mode: (op: TfOp) => string): Converter => ({
  convert(op) {
    const ends = endsOf(op, 1);
    return op.result("pad", [op.input(0)], {
      before: ends.map((e) => e[0]),
      after: ends.map((e) => e[1]),
      value: op.node.op === "PadV2" ? (op.numbers(2)[0] ?? 0) : 0,
      ...(mode(op) !== "constant" && { mode: mode(op) }),
    });
  },
});

/** Extents at one sample, and at two. */
function shapeOf(op: TfOp): string {
  const { shape, batchAxis } = op.typeOf(op.input(0));
  if (shape.length === 0) throw op.unsupported("asks for the shape of a scalar");
  return extents(
    op,
    [shape.length],
    shape,
    shape.map((d, axis) => (axis === batchAxis ? 2 * d : d)),
  );
}

function extents(op: TfOp, as: number[], values: readonly number[], probe: readonly number[]): string {
  return op.context.constant(op.name, "i32", as, Int32Array.from(values), Int32Array.from(probe));
}

function size(op: TfOp): string {
  const { shape, batchAxis } = op.typeOf(op.input(0));
  const n = sizeOf(shape);
  return extents(op, [], [n], [batchAxis === null ? n : 2 * n]);
}

/** At one sample: what it fills for more is alike, and broadcasting repeats it. */
function fill(op: TfOp): string {
  const { values: dims } = op.extents(0);
  if (sizeOf(dims) > MAX_FILLED) throw new IdapError("E_SHAPE", `${op.where} fills [${dims}]`);
  return dims.length === 0 ? op.input(1) : op.result("broadcast_to", [op.input(1)], { shape: dims });
}

function range1(op: TfOp): string {
  const [start, limit, delta] = [0, 1, 2].map((i) => op.numbers(i)[0] ?? NaN) as [number, number, number];
  const n = Math.max(Math.ceil((limit - start) / delta), 0);
  if (!(n >= 1 && n <= MAX_FILLED))
    throw new IdapError("E_SHAPE", `${op.where} counts from ${start} to ${limit} by ${delta}`);
  const integer = op.typeOf(op.input(0)).dtype === "i32";
  const values = Array.from({ length: n }, (_, i) => start + i * delta);
  return op.constant([n], integer ? Int32Array.from(values) : Float32Array.from(values));
}

function linSpace(op: TfOp): string {
  const [start, stop, n] = [0, 1, 2].map((i) => op.numbers(i)[0] ?? NaN) as [number, number, number];
  if (!(n >= 1 && n <= MAX_FILLED)) throw new IdapError("E_SHAPE", `${op.where} makes ${n} values`);
  const step = n === 1 ? 0 : (stop - start) / (n - 1);
  return op.constant(
    [n],
    Float32Array.from({ length: n }, (_, i) => start + i * step),
  );
}

/** indices, depth, on and off value. */
function hot(op: TfOp): string {
  const [depth] = op.numbers(1);
  return oneHot(op, op.input(0), {
    depth: tableSize(depth ?? NaN, op.where),
    axis: axisOf(op.int("axis", -1), op.rank() + 1, op.where),
    on: op.has(2) ? op.input(2) : op.scalar(1),
    off: op.has(3) ? op.input(3) : op.scalar(0),
    negative: false,
  });
}

/** Two shapes broadcast against each other. */
function broadcastArgs(op: TfOp): string {
  const lists = [op.extents(0), op.extents(1)];
  const rank = Math.max(...lists.map((l) => l.values.length));
  const joined = (list: (l: (typeof lists)[number]) => readonly number[]): number[] =>
    Array.from({ length: rank }, (_, k) => Math.max(...lists.map((l) => list(l)[k - rank + list(l).length] ?? 1)));
  return extents(op, [rank], joined((l) => l.values), joined((l) => l.probe ?? l.values)); // prettier-ignore
}

const alias: Converter = { convert: (op) => op.input(0) };

/** Blocks of images: with channels first they are moved last and back. */
const blocks = (move: typeof depthToSpace): Converter => ({
  convert: (op) => op.asImage(0, (x) => move(op, x, op.int("block_size", 2))),
});

const checked: Converter["convert"] = (op) => {
  const x = op.input(0);
  return transposed(op, x, permOf(op.numbers(1), op.typeOf(x).shape.length, op.where));
};

export const shape: Table = {
  Identity: alias,
  IdentityN: { convert: (op) => op.inputs },
  Snapshot: alias,
  StopGradient: alias,
  PreventGradient: alias,
  PlaceholderWithDefault: alias,
  FakeQuantWithMinMaxVars: alias,
  Reshape: { convert: reshape },
  Squeeze: { convert: squeeze },
  ExpandDims: { convert: expandDims },
  Transpose: { convert: checked },
  Concat: { convert: concat },
  ConcatV2: { convert: concat },
  Pack: { convert: pack },
  Unpack: { convert: unpack },
  Split: { convert: splitEvenly },
  SplitV: { convert: splitBySizes },
  Slice: { convert: slice },
  StridedSlice: { convert: stridedSlice },
  Gather: { convert: gather },
  GatherV2: { refuse: (op) => (op.int("batch_dims", 0) === 0 ? null : "batch_dims"), convert: gather },
  Tile: { convert: tile },
  BroadcastTo: { convert: broadcastTo },
  BroadcastArgs: { convert: broadcastArgs },
  Pad: pad(() => "constant"),
  PadV2: pad(() => "constant"),
  MirrorPad: pad((op) => (op.text("mode", "REFLECT") === "SYMMETRIC" ? "symmetric" : "reflect")),
  ReverseV2: { convert: (op) => reverse(op, op.input(0), axesOf(op.numbers(1), op.rank(), op.where)) },
  DepthToSpace: blocks(depthToSpace),
  SpaceToDepth: blocks(spaceToDepth),
  SpaceToBatchND: { convert: (op) => spaceToBatch(op, op.input(0), op.numbers(1), endsOf(op, 2)) },
  BatchToSpaceND: { convert: (op) => batchToSpace(op, op.input(0), op.numbers(1), endsOf(op, 2)) },
  Shape: { convert: shapeOf },
  ShapeV2: { convert: shapeOf },
  Size: { convert: size },
  Rank: { convert: (op) => op.constant([], Int32Array.of(op.rank())) },
  Fill: { convert: fill },
  Range: { convert: range1 },
  LinSpace: { convert: linSpace },
  OneHot: {
    refuse: (op) => (op.type("T") !== undefined && dtypeOf(op.type("T")) === null ? `values of ${op.type("T")}` : null),
    convert: hot,
  },
};
