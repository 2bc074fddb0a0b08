import { IdapError } from "../../../model/errors.js";
import { permute } from "../../shared/permute.js";
import { reshapeTarget } from "../../shared/reshape.js";
import { activationOf, refuseActivation, refuseComputed, type Converter } from "../context.js";
import { F } from "../schema.js";

/** x, weights [n, k], bias?. Without keep_num_dims the operand is flattened to [-1, k]. */
export const FULLY_CONNECTED: Converter = {
  refuse: (op) =>
    refuseActivation(op, F.FullyConnected.activation) ??
    refuseComputed(op, { 1: "weights", 2: "a bias" }) ??
    (op.option((o) => o.i8(F.FullyConnected.weightsFormat), 0) === 0 ? null : "shuffled weights"),
  convert(op) {
    const { shape } = op.fileTensor(1);
    if (shape.length !== 2) throw new IdapError("E_RANK", `${op.where}: weights must have rank 2, got [${shape}]`);
    const [n, k] = shape as unknown as [number, number];
    let x = op.input(0);
    const keep = op.option((o) => o.bool(F.FullyConnected.keepNumDims), false);
    if (op.type(x).shape.length !== 2 && !keep) {
      const { fileBatch } = op.context;
      x = op.step("flatten", "reshape", [x], { shape: reshapeTarget(op.type(x), [-1, k], op.where, { fileBatch }) });
    }
    const w = op.weights(1, "io", [k, n], (floats) => permute(floats, [n, k], [1, 0]), [1, 0]);
    const inputs = [x, w, ...(op.has(2) ? [op.input(2)] : [])];
    op.emit("dense", inputs, {}, activationOf(op, F.FullyConnected.activation));
  },
};

function binary(op: string): Converter {
  return {
    refuse: (o) => refuseActivation(o, F.Binary.activation),
    convert: (o) => o.emit(op, [o.input(0), o.input(1)], {}, activationOf(o, F.Binary.activation)),
  };
}

export const ADD = binary("add");
export const MUL = binary("mul");

function unary(op: string): Converter {
  return { convert: (o) => o.emit(op, [o.input(0)]) };
}

export const RELU = unary("relu");
export const RELU6 = unary("relu6");
export const LOGISTIC = unary("sigmoid");

/** Over the last axis. */
export const SOFTMAX: Converter = {
  refuse(op) {
    const beta = op.option((o) => o.f32(F.Softmax.beta), 0);
    return beta === 1 ? null : `beta ${beta}`;
  },
  convert(op) {
    const x = op.input(0);
    op.emit("softmax", [x], { axis: op.type(x).shape.length - 1 });
  },
};
