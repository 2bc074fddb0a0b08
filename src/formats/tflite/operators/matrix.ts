import { IdapError } from "../../../model/errors.js";
import { permute } from "../../shared/permute.js";
import { reshapeTarget } from "../../shared/reshape.js";
import { activationOf, refuseActivation, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

/** x, weights [n, k], bias?. Without keep_num_dims the operand is flattened to [-1, k]. */
const FULLY_CONNECTED: Converter = {
  refuse: (op) =>
    refuseActivation(op, F.FullyConnected.activation) ??
    (op.option((o) => o.i8(F.FullyConnected.weightsFormat), 0) === 0 ? null : "shuffled weights"),
  convert(op) {
    const { shape } = op.fileTensor(1);
    if (shape.length !== 2) throw new IdapError("E_RANK", `${op.where}: weights must have rank 2, got [${shape}]`);
    const [n, k] = shape as unknown as [number, number];
    const x = flattened(op, k);
    const activation = activationOf(op, F.FullyConnected.activation);
    const bias = op.has(2) ? [op.input(2)] : [];
    if (op.isConstant(1)) {
      const w = op.weights(1, "io", [k, n], (floats) => permute(floats, [n, k], [1, 0]), [1, 0]);
      if (bias.length === 0 || op.isConstant(2)) return op.result("dense", [x, w, ...bias], {}, activation);
      return op.result("add", [op.emit("dense", [x, w]), ...bias], {}, activation);
    }
    const inputs = [x, op.input(1)];
    const attrs = { transposeA: false, transposeB: true };
    if (bias.length === 0) return op.result("matmul", inputs, attrs, activation);
    op.result("add", [op.emit("matmul", inputs, attrs), ...bias], {}, activation);
  },
};

function flattened(op: TfliteOp, k: number): string {
  const x = op.input(0);
  const keep = op.option((o) => o.bool(F.FullyConnected.keepNumDims), false);
  const { shape } = op.type(x);
  if (shape.length === 2 ? shape[1] === k : keep && shape.length > 2) return x;
  const { fileBatch } = op.context;
  return op.step("flatten", "reshape", [x], { shape: reshapeTarget(op.type(x), [-1, k], op.where, { fileBatch }) });
}

const BATCH_MATMUL: Converter = {
  convert: (op) =>
    op.result("matmul", [op.input(0), op.input(1)], {
      transposeA: op.option((o) => o.bool(F.BatchMatMul.adjX), false),
      transposeB: op.option((o) => o.bool(F.BatchMatMul.adjY), false),
    }),
};

/** Rows of a table by number. */
const EMBEDDING_LOOKUP: Converter = {
  convert: (op) => op.result("gather", [op.input(1), op.input(0)], { axis: 0 }),
};

export const matrix: Readonly<Record<string, Converter>> = { BATCH_MATMUL, EMBEDDING_LOOKUP, FULLY_CONNECTED };
