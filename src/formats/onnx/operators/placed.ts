/**
 * Slices and paddings whose numbers are computed when the model runs. The file states the shape of the result, so that what
 * is left to compute is where each element comes from: one gather for each axis.
 */
import { IdapError } from "../../../model/errors.js";
import type { Shape } from "../../../model/types.js";
import type { OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";

/** The operand's shape, of the rank of the result. */
function checkStated(op: OnnxOp, to: Shape): Shape {
  const { shape, batchAxis } = op.type(0);
  if (to.length !== shape.length) throw op.malformed(`cannot make [${to}] of [${shape}]`);
  if (batchAxis !== null) throw new IdapError("E_BATCH", `${op.where} may take a part of the batch`);
  return shape;
}

/** Entry of a list that belongs to `axis`, where the list `axes` names one for each entry; `absent` where none does. */
function entryOf(p: Pieces, list: string, axes: string | null, axis: number, rank: number, absent: number): string {
  const count = p.shape(list)[0]!;
  if (axes === null)
    return axis < count ? p.part(list, 0, axis, 1) : p.op.literal("absent", [1], Int32Array.of(absent));
  const hit = p.do("equal", [p.do("floor_mod", [axes, rank]), axis]);
  const over = { axes: [0], keepDims: true };
  const entry = p.do("reduce_sum", [p.do("select", [hit, list, 0])], over);
  const any = p.do("reduce_max", [p.do("cast", [hit], { to: "i32" })], over);
  return p.do("select", [p.do("equal", [any, 1]), entry, absent]);
}

/** Beyond either end a start is taken as that end, whatever its step: what is then read is inside. */
export function sliceByOperands(op: OnnxOp, to: Shape): void {
  const p = new Pieces(op);
  const shape = checkStated(op, to);
  const axes = op.has(3) ? op.input(3) : null;
  let x = op.input(0);
  shape.forEach((extent, axis) => {
    const start = entryOf(p, op.input(1), axes, axis, shape.length, 0);
    const step = op.has(4) ? entryOf(p, op.input(4), axes, axis, shape.length, 1) : op.scalar("step", 1, "i32");
    const fromEnd = p.do("select", [p.do("less", [start, 0]), p.do("add", [start, extent]), start]);
    const inside = op.step("start", "clip", [fromEnd], { min: 0, max: extent - 1 });
    const places = p.do("add", [inside, p.do("mul", [p.range(to[axis]!, 0), step])]);
    x = p.do("gather", [x, places], { axis });
  });
  op.give(x, { dtype: op.dtype(0) });
}

/** Place in an axis of `extent` elements that a place outside it stands for. */
function folded(p: Pieces, place: string, extent: number, mode: string): string {
  switch (mode) {
    case "wrap":
      return p.do("floor_mod", [place, extent]);
    case "reflect": {
      // Back and forth: 0, 1, ..., e - 1, e - 2, ..., 1, 0, ...
      const turn = Math.max(2 * (extent - 1), 1);
      const along = p.do("floor_mod", [place, turn]);
      return p.do("min", [along, p.do("sub", [turn, along])]);
    }
    default:
      return p.op.step("inside", "clip", [place], { min: 0, max: extent - 1 });
  }
}

export function padByOperands(op: OnnxOp, to: Shape): void {
  const p = new Pieces(op);
  const shape = checkStated(op, to);
  const mode = op.string("mode", "constant");
  const axes = op.has(3) ? op.input(3) : null;
  const pads = op.input(1);
  const before = p.part(pads, 0, 0, p.shape(pads)[0]! / 2);
  let x = op.input(0);
  let inside: string | null = null;
  shape.forEach((extent, axis) => {
    const shift = entryOf(p, before, axes, axis, shape.length, 0);
    const place = p.do("sub", [p.range(to[axis]!, 0), shift]);
    x = p.do("gather", [x, folded(p, place, extent, mode)], { axis });
    if (mode !== "constant") return;
    const own = p.do("logical_and", [p.do("greater_equal", [place, 0]), p.do("less", [place, extent])]);
    const along = p.do("reshape", [own], { shape: [to[axis]!, ...shape.slice(axis + 1).map(() => 1)] });
    inside = inside === null ? along : p.do("logical_and", [inside, along]);
  });
  if (inside === null) return op.give(x, { dtype: op.dtype(0) });
  const value = op.has(2)
    ? p.do("reshape", [op.input(2)], { shape: [] })
    : op.scalar("zero", op.float("value", 0), op.typeOf(x).dtype);
  p.finish("select", [inside, x, value], {}, { dtype: op.dtype(0) });
}
