import { IdapError } from "../../../../model/errors.js";
import { SELU } from "../../../keras/activations.js";
import { squaredDifference } from "../../../shared/decompose/arithmetic.js";
import { reshapeTo } from "../../../shared/decompose/emit.js";
import type { Attrs } from "../../../../model/types.js";
import type { Converter, TfOp } from "../context.js";
import { dtypeOf } from "../graphdef.js";

type Table = Readonly<Record<string, Converter>>;

const simple = (convert: Converter["convert"]): Converter => ({ convert });

const unary = (op: string, attrs: (op: TfOp) => Attrs = () => ({})): Converter =>
  simple((node) => node.result(op, [node.input(0)], attrs(node)));

/** Operands of one dtype: integers meet floats where a constant is written without a point. */
export function alike(op: TfOp, tensors: readonly string[]): string[] {
  const floats = tensors.some((x) => op.typeOf(x).dtype === "f32");
  return tensors.map((x) => {
    const { dtype } = op.typeOf(x);
    if (dtype === "f32" || (!floats && dtype === "i32")) return x;
    return op.emit("cast", [x], { to: floats ? "f32" : "i32" });
  });
}

const binary = (name: string): Converter => simple((op) => op.result(name, alike(op, [op.number(0), op.number(1)])));

const truth = (op: TfOp, x: string): string =>
  op.typeOf(x).dtype === "bool" ? x : op.emit("cast", [x], { to: "bool" });
const logical = (name: string): Converter =>
  simple((op) => op.result(name, [truth(op, op.input(0)), truth(op, op.input(1))]));

/** x + b on the channels, which are axis 1 when they come first. */
function biasAdd(op: TfOp): string {
  const [x, b] = [op.input(0), op.input(1)];
  const rank = op.rank();
  if (!op.channelsFirst || rank <= 2) return op.result("add", [x, b]);
  const { shape } = op.typeOf(b);
  const bias = reshapeTo(op, b, [shape[0]!, ...Array.from({ length: rank - 2 }, () => 1)], null);
  return op.result("add", [x, bias]);
}

/** 0 where the divisor is 0. */
function divideNoNan(op: TfOp): string {
  const [a, b] = alike(op, [op.number(0), op.number(1)]) as [string, string];
  const zero = op.emit("equal", [b, op.scalar(0, b)]);
  const safe = op.emit("select", [zero, op.scalar(1, b), b]);
  return op.result("select", [zero, op.scalar(0, b), op.emit("div", [a, safe])]);
}

/** Whole numbers are divided as TF.js does it: rounded down. */
function divide(op: TfOp): string {
  const operands = alike(op, [op.number(0), op.number(1)]);
  return op.result(op.typeOf(operands[0]!).dtype === "i32" ? "floor_div" : "div", operands);
}

function sumOfAll(op: TfOp): string {
  const [first, ...rest] = op.inputs;
  const last = rest.pop();
  if (first === undefined) throw op.malformed("has no inputs");
  if (last === undefined) return first;
  return op.result("add", [rest.reduce((sum, x) => op.emit("add", [sum, x]), first), last]);
}

/** A condition of rank 1 chooses whole rows (`Select`); `SelectV2` broadcasts. */
function select(op: TfOp): string {
  const [a, b] = [op.input(1), op.input(2)];
  let condition = truth(op, op.input(0));
  const { shape, batchAxis } = op.typeOf(condition);
  const rank = op.rank(1);
  if (op.node.op === "Select" && shape.length === 1 && rank > 1) {
    condition = reshapeTo(op, condition, [shape[0]!, ...Array.from({ length: rank - 1 }, () => 1)], batchAxis);
  }
  const same = op.typeOf(a).dtype === op.typeOf(b).dtype;
  return op.result("select", [condition, ...(same ? [a, b] : alike(op, [a, b]))]);
}

function clip(op: TfOp): string {
  const bound = (i: number, attribute: string): number => {
    if (!op.has(i)) return op.float(attribute, i === 1 ? -Infinity : Infinity);
    const [value, ...more] = op.numbers(i);
    if (value === undefined || more.length > 0) throw op.unsupported("clips by more than one number");
    return value;
  };
  const [min, max] = [bound(1, "clip_value_min"), bound(2, "clip_value_max")];
  return op.result("clip", [op.input(0)], {
    min: Number.isFinite(min) ? min : null,
    max: Number.isFinite(max) ? max : null,
  });
}

function cast(op: TfOp): string {
  const to = dtypeOf(op.type("DstT"));
  if (to === null) throw op.unsupported(`makes ${op.type("DstT")}, which cannot be read`);
  const x = op.input(0);
  return op.typeOf(x).dtype === to ? x : op.result("cast", [x], { to });
}

/** x - max - log(sum(exp(x - max))), so that nothing overflows. */
function logSoftmax(op: TfOp): string {
  const over = { axes: [op.rank() - 1], keepDims: true };
  const shifted = op.emit("sub", [op.input(0), op.emit("reduce_max", [op.input(0)], over)]);
  const total = op.emit("reduce_sum", [op.emit("exp", [shifted])], over);
  return op.result("sub", [shifted, op.emit("log", [total])]);
}

const last = (op: TfOp): Attrs => ({ axis: op.rank() - 1 });

/** scale, offset, mean and variance of each channel. */
const batchNorm: Converter = {
  refuse: (op) => (op.flag("is_training") ? "statistics of the batch (is_training)" : null),
  convert(op) {
    const statistics = [1, 2, 3, 4].map((i) => op.input(i));
    const attrs = { epsilon: op.float("epsilon", 1e-3) };
    const rank = op.rank();
    if (rank === 4) return op.asImage(0, (x, emit) => emit.call(op, "batch_norm", [x, ...statistics], attrs));
    return op.result("batch_norm", [op.input(0), ...statistics], attrs);
  },
};

/** The slope of each channel, or of each element of a sample. */
function prelu(op: TfOp): string {
  return op.result("prelu", [op.input(0), op.input(1)]);
}

/** A constant of the shape of the operand. */
const likeWith = (value: number): Converter =>
  simple((op) => {
    const { shape, dtype, batchAxis } = op.typeOf(op.input(0));
    if (batchAxis !== null) throw new IdapError("E_BATCH", `${op.where} fills the shape of a batch`);
    const one = op.scalar(value, dtype === "i32" ? op.input(0) : undefined);
    return shape.length === 0 ? one : op.emit("broadcast_to", [one], { shape: [...shape] });
  });

export const arithmetic: Table = {
  Abs: unary("abs"),
  Neg: unary("neg"),
  Sign: unary("sign"),
  Exp: unary("exp"),
  Expm1: simple((op) => op.result("sub", [op.emit("exp", [op.input(0)]), op.scalar(1)])),
  Log: unary("log"),
  Log1p: simple((op) => op.result("log", [op.emit("add", [op.input(0), op.scalar(1)])])),
  Sqrt: unary("sqrt"),
  Rsqrt: unary("rsqrt"),
  Square: simple((op) => op.result("mul", [op.input(0), op.input(0)])),
  Sin: unary("sin"),
  Cos: unary("cos"),
  Tan: simple((op) => op.result("div", [op.emit("sin", [op.input(0)]), op.emit("cos", [op.input(0)])])),
  Tanh: unary("tanh"),
  Sigmoid: unary("sigmoid"),
  Erf: unary("erf"),
  Floor: unary("floor"),
  Ceil: unary("ceil"),
  Round: unary("round"),
  Rint: unary("round"),
  Inv: unary("reciprocal"),
  Reciprocal: unary("reciprocal"),
  Softplus: unary("softplus"),
  Softsign: unary("softsign"),
  Relu: unary("relu"),
  Relu6: unary("relu6"),
  Elu: unary("elu", () => ({ alpha: 1 })),
  Selu: unary("selu", () => SELU),
  LeakyRelu: unary("leaky_relu", (op) => ({ alpha: op.float("alpha", 0.2) })),
  _MklSwish: unary("silu"),
  Prelu: simple(prelu),
  Softmax: unary("softmax", last),
  LogSoftmax: simple(logSoftmax),
  ClipByValue: simple(clip),
  Cast: simple(cast),
  Add: binary("add"),
  AddV2: binary("add"),
  AddN: simple(sumOfAll),
  BiasAdd: simple(biasAdd),
  BiasAddV1: simple(biasAdd),
  Sub: binary("sub"),
  Mul: binary("mul"),
  Div: simple(divide),
  RealDiv: simple(divide),
  DivNoNan: simple(divideNoNan),
  FloorDiv: binary("floor_div"),
  FloorMod: binary("floor_mod"),
  Mod: binary("floor_mod"),
  Maximum: binary("max"),
  Minimum: binary("min"),
  Pow: binary("pow"),
  SquaredDifference: simple((op) => squaredDifference(op, op.input(0), op.input(1))),
  Equal: binary("equal"),
  NotEqual: binary("not_equal"),
  Greater: binary("greater"),
  GreaterEqual: binary("greater_equal"),
  Less: binary("less"),
  LessEqual: binary("less_equal"),
  LogicalAnd: logical("logical_and"),
  LogicalOr: logical("logical_or"),
  LogicalXor: logical("logical_xor"),
  LogicalNot: simple((op) => op.result("logical_not", [truth(op, op.input(0))])),
  Select: simple(select),
  SelectV2: simple(select),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  ZerosLike: likeWith(0),
  OnesLike: likeWith(1),
};
