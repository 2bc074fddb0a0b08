import { IdapError } from "../../../model/errors.js";
import { axisOf, permOf } from "../../shared/check.js";
import { reshapeTarget } from "../../shared/reshape.js";
import { activationOf, refuseActivation, refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

function emitReshape(op: TfliteOp, target: readonly number[]): void {
  const x = op.input(0);
  op.emit("reshape", [x], {
    shape: reshapeTarget(op.type(x), target, op.where, { fileBatch: op.context.fileBatch }),
  });
}

/** The target is operand 1 or, in old files, an option. */
export const RESHAPE: Converter = {
  refuse(op) {
    if (op.inputCount > 1) return refuseComputed(op, { 1: "a target" });
    return op.option((o) => o.has(F.Reshape.newShape), false) ? null : "no target";
  },
  convert: (op) => emitReshape(op, op.has(1) ? op.ints(1) : op.option((o) => o.ints(F.Reshape.newShape, 8), null)!),
};

export const SQUEEZE: Converter = {
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

export const EXPAND_DIMS: Converter = {
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

export const TRANSPOSE: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "an order of axes" }),
  convert(op) {
    const x = op.input(0);
    op.emit("transpose", [x], { perm: permOf(op.ints(1), op.type(x).shape.length, op.where) });
  },
};

/** x, paddings [rank, 2], for PADV2 the value. */
export const PAD: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "paddings", 2: "a value" }),
  convert(op) {
    const x = op.input(0);
    const paddings = op.ints(1);
    const rank = op.type(x).shape.length;
    if (paddings.length !== 2 * rank || paddings.some((p) => p < 0 || p > 1 << 20)) {
      throw new IdapError("E_FORMAT", `${op.where}: [${paddings}] are no paddings for a tensor of rank ${rank}`);
    }
    op.emit("pad", [x], {
      before: paddings.filter((_, i) => i % 2 === 0),
      after: paddings.filter((_, i) => i % 2 === 1),
      value: op.has(2) ? op.floats(2)[0]! : 0,
    });
  },
};

export const CONCATENATION: Converter = {
  refuse: (op) => refuseActivation(op, F.Concatenation.activation),
  convert(op) {
    const rank = op.type(op.input(0)).shape.length;
    const axis = axisOf(
      op.option((o) => o.i32(F.Concatenation.axis), 0),
      rank,
      op.where,
    );
    op.emit("concat", op.inputs(), { axis }, activationOf(op, F.Concatenation.activation));
  },
};
