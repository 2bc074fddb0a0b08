import { IdapError } from "../../../../model/errors.js";
import { axesOf, axisOf } from "../../../shared/check.js";
import { einsum, einsumFault } from "../../../shared/decompose/einsum.js";
import { transposed } from "../../../shared/decompose/emit.js";
import type { Converter, TfOp } from "../context.js";
import { refuseFused, withEpilogue } from "./convolution.js";

type Table = Readonly<Record<string, Converter>>;

/** Products with a constant matrix are dense layers, which the pruner knows. */
function multiply(op: TfOp, transposeA: boolean, transposeB: boolean): string {
  return withEpilogue(
    op,
    (name, inputs, attrs) => op.result(name, inputs, attrs),
    (bias, emit) => {
      const [a, b] = [op.input(0), op.input(1)];
      if (!transposeA && op.isConstant(1) && !op.isConstant(0) && op.rank(1) === 2) {
        const w = transposeB ? transposed(op, b, [1, 0]) : b;
        const vector = bias.every((x) => op.typeOf(x).shape.length === 1);
        const y = (vector ? emit : op.emit).call(op, "dense", [a, w, ...(vector ? bias : [])], {});
        return vector ? y : emit.call(op, "add", [y, bias[0]!]);
      }
      const product = bias.length === 0 ? emit : op.emit;
      const y = product.call(op, "matmul", [a, b], { transposeA, transposeB });
      return bias.length === 0 ? y : emit.call(op, "add", [y, bias[0]!]);
    },
  );
}

const matMul: Converter = {
  refuse: refuseFused,
  convert: (op) => multiply(op, op.flag("transpose_a"), op.flag("transpose_b")),
};
const batchMatMul: Converter = { convert: (op) => multiply(op, op.flag("adj_x"), op.flag("adj_y")) };

function einstein(op: TfOp): string {
  const equation = op.text("equation", "");
  const fault = einsumFault(
    equation,
    op.inputs.map((_, i) => op.rank(i)),
  );
  if (fault) throw op.unsupported(`has an equation that cannot be read: ${fault}`);
  return einsum(op, equation, op.inputs);
}

/** Axes are input 1; none at all leave the operand as it is. */
const reduction = (name: string): Converter => ({
  convert(op) {
    const axes = axesOf(op.numbers(1), op.rank(), op.where);
    const keepDims = op.flag("keep_dims") || op.flag("keepDims");
    if (axes.length === 0) return op.input(0);
    return op.result(name, [op.number(0)], { axes, keepDims });
  },
});

/** Truth values as numbers: any is their maximum, all their minimum. */
const logicalReduction = (name: string): Converter => ({
  convert: (op) => op.emit("cast", [reduction(name).convert(op) as string], { to: "bool" }),
});

const argReduce = (kind: "max" | "min"): Converter => ({
  convert(op) {
    const [axis] = op.numbers(1);
    if (axis === undefined) throw op.malformed("names no axis");
    return op.result("arg_reduce", [op.input(0)], { axis: axisOf(axis, op.rank(), op.where), keepDims: false, kind });
  },
});

function topK(op: TfOp): string[] {
  const [k] = op.has(1) ? op.numbers(1) : [op.int("k", 1)];
  const axis = op.rank() - 1;
  if (axis < 0) throw new IdapError("E_RANK", `${op.where} needs a vector or more`);
  return op.results("top_k", [op.input(0)], { axis, k });
}

function cumulative(op: TfOp): string {
  const [axis] = op.numbers(1);
  return op.result("cumsum", [op.number(0)], {
    axis: axisOf(axis ?? 0, op.rank(), op.where),
    exclusive: op.flag("exclusive"),
    reverse: op.flag("reverse"),
  });
}

export const matrix: Table = {
  MatMul: matMul,
  _FusedMatMul: matMul,
  BatchMatMul: batchMatMul,
  BatchMatMulV2: batchMatMul,
  BatchMatMulV3: batchMatMul,
  Einsum: { convert: einstein },
  Mean: reduction("reduce_mean"),
  Sum: reduction("reduce_sum"),
  Max: reduction("reduce_max"),
  Min: reduction("reduce_min"),
  Prod: reduction("reduce_prod"),
  Any: logicalReduction("reduce_max"),
  All: logicalReduction("reduce_min"),
  ArgMax: argReduce("max"),
  ArgMin: argReduce("min"),
  TopKV2: { convert: topK },
  TopK: { convert: topK },
  Cumsum: { convert: cumulative },
};
