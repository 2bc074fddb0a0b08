import type { Attrs } from "../../../model/types.js";
import type { Converter, OnnxOp } from "../op.js";
import { TensorProto_DataType as T, type NodeProto } from "../generated/onnx_pb.js";
import { partName } from "../producer.js";
import { dtypeOf, typeName } from "../wire.js";
import { allInputs, commonOrder } from "./broadcast.js";

/** One operand, which keeps its order. */
function unary(ir: string, attrs: (op: OnnxOp) => Attrs = () => ({})): Converter {
  return { convert: (op) => op.emitAnyOrder(ir, attrs(op)) };
}

/** Steps on one tensor in the order that operand 0 has. */
export interface Steps {
  readonly x: string;
  readonly last: boolean;
  /** An intermediate result; numbers become scalar constants. */
  do(ir: string, ...operands: (string | number)[]): string;
}

export function steps(op: OnnxOp): Steps {
  const { x, last } = op.anyOrder;
  return { x, last, do: (ir, ...operands) => op.step(ir, ir, scalars(op, operands)) };
}

function scalars(op: OnnxOp, operands: readonly (string | number)[]): string[] {
  const other = operands.find((o) => typeof o === "string");
  const dtype = other === undefined ? "f32" : op.typeOf(other).dtype;
  return operands.map((o) => (typeof o === "number" ? op.scalar(`${o}`, o, dtype) : o));
}

/** An operator written as several; `last` gives operator and operands of the final one. */
function composed(build: (s: Steps, op: OnnxOp) => [ir: string, ...operands: (string | number)[]]): Converter {
  return {
    convert(op) {
      const s = steps(op);
      const [ir, ...operands] = build(s, op);
      op.emit(ir, scalars(op, operands), {}, { last: s.last });
    },
  };
}

export const Abs = unary("abs");
export const Ceil = unary("ceil");
export const Cos = unary("cos");
export const Erf = unary("erf");
export const Exp = unary("exp");
export const Floor = unary("floor");
export const HardSwish = unary("hard_swish");
export const Log = unary("log");
export const Neg = unary("neg");
export const Round = unary("round");
export const Sign = unary("sign");
export const Sin = unary("sin");
export const Softplus = unary("softplus");
export const Softsign = unary("softsign");
export const Tanh = unary("tanh");
export const Elu = unary("elu", (op) => ({ alpha: op.float("alpha", 1) }));
export const Selu = unary("selu", (op) => ({
  // The constants that the operator's own paper derives, to the digits of a 32-bit float.
  alpha: op.float("alpha", 1.6732632),
  gamma: op.float("gamma", 1.050701),
}));
export const LeakyRelu = unary("leaky_relu", (op) => ({ alpha: op.float("alpha", 0.01) }));
export const HardSigmoid = unary("hard_sigmoid", (op) => ({
  alpha: op.float("alpha", 0.2),
  beta: op.float("beta", 0.5),
}));
export const Gelu: Converter = {
  refuse(op) {
    const form = op.string("approximate", "none");
    return form === "none" || form === "tanh" ? null : `approximate ${form}`;
  },
  convert: (op) => op.emitAnyOrder("gelu", { approximate: op.string("approximate", "none") }),
};

export const Relu: Converter = {
  convert(op) {
    if (op.type(0).dtype === "f32") op.emitAnyOrder("relu");
    else op.emitAnyOrder("clip", { min: 0, max: null });
  },
};

/**
 * The only reader of output 0, where it is an operator of this name in the default domain. In our own files only what
 * the writer has taken apart is joined.
 */
export function soleReader(op: OnnxOp, opType: string): NodeProto | null {
  const node = op.context.soleReader.get(op.output);
  if (node?.opType !== opType || node.domain !== "") return null;
  return op.context.ours && op.node.name !== partName(node.name) ? null : node;
}

/** The node of two that are joined is the second, in name and result. */
export function resultOf(next: NodeProto): { output: string; name: string } {
  const output = next.output[0]!;
  return { output, name: next.name || output };
}

/** 1 / sqrt(x) is one operator. */
export const Sqrt: Converter = {
  convert(op) {
    const next = soleReader(op, "Reciprocal");
    if (!next) return op.emitAnyOrder("sqrt");
    const { x, last } = op.anyOrder;
    op.context.done.add(next);
    op.emit("rsqrt", [x], {}, { last, ...resultOf(next) });
  },
};
export const Reciprocal = unary("reciprocal");

/** x * sigmoid(x) is one operator. */
export const Sigmoid: Converter = {
  convert(op) {
    const next = soleReader(op, "Mul");
    const partner = next?.input.find((name) => name !== op.output);
    if (!next || partner !== op.inputName(0)) return op.emitAnyOrder("sigmoid");
    const { x, last } = op.anyOrder;
    op.context.done.add(next);
    op.emit("silu", [x], {}, { last, ...resultOf(next) });
  },
};

export const Tan = composed((s) => ["div", s.do("sin", s.x), s.do("cos", s.x)]);
export const Sinh = composed((s) => ["mul", s.do("sub", s.do("exp", s.x), s.do("exp", s.do("neg", s.x))), 0.5]);
export const Cosh = composed((s) => ["mul", s.do("add", s.do("exp", s.x), s.do("exp", s.do("neg", s.x))), 0.5]);
/** sign(x) log(|x| + sqrt(x^2 + 1)): the sum never cancels. */
export const Asinh = composed((s) => {
  const size = s.do("abs", s.x);
  const root = s.do("sqrt", s.do("add", s.do("mul", s.x, s.x), 1));
  return ["mul", s.do("sign", s.x), s.do("log", s.do("add", size, root))];
});
export const Acosh = composed((s) => {
  const root = s.do("sqrt", s.do("sub", s.do("mul", s.x, s.x), 1));
  return ["log", s.do("add", s.x, root)];
});
export const Atanh = composed((s) => {
  const ratio = s.do("div", s.do("add", s.x, 1), s.do("sub", 1, s.x));
  return ["mul", s.do("log", ratio), 0.5];
});
/**
 * atan(t) = t + t z P(z) with z = t^2, fitted on 0 <= t <= 1 within 0.05 of a rounding (our own fit of least maximum).
 * Lowest power first.
 */
const ARCTAN: readonly number[] = [
  -0.33333298563957214, 0.19998548924922943, -0.14264240860939026, 0.10952185094356537, -0.08403448760509491,
  0.05795756354928017, -0.031177815049886703, 0.01091458834707737, -0.0017936177318915725,
];

/** atan of numbers from 0 to 1, about 3 roundings. */
function arctanOfUnit(s: Steps, t: string): string {
  const z = s.do("mul", t, t);
  const p = ARCTAN.slice(0, -1).reduceRight<string | number>(
    (sum, c) => s.do("add", s.do("mul", sum, z), c),
    ARCTAN.at(-1)!,
  );
  return s.do("add", t, s.do("mul", t, s.do("mul", z, p)));
}

/** atan of numbers from 0 to infinity: above 1 that of the reciprocal, taken from a right angle. */
function arctanOfPositive(s: Steps, op: OnnxOp, x: string): string {
  const large = s.do("greater", x, 1);
  const t = op.step("t", "select", [large, s.do("reciprocal", x), x]);
  const y = arctanOfUnit(s, t);
  return op.step("angle", "select", [large, s.do("sub", Math.PI / 2, y), y]);
}

export const Atan = composed((s, op) => ["mul", s.do("sign", s.x), arctanOfPositive(s, op, s.do("abs", s.x))]);

/** sqrt(1 - x^2), whose difference would cancel near the ends. */
function cathetus(s: Steps): string {
  return s.do("sqrt", s.do("mul", s.do("sub", 1, s.x), s.do("add", 1, s.x)));
}

/** 2 atan(x / (1 + sqrt(1 - x^2))), whose argument is within -1 and 1. */
export const Asin = composed((s) => {
  const t = s.do("div", s.do("abs", s.x), s.do("add", cathetus(s), 1));
  return ["mul", s.do("sign", s.x), s.do("mul", arctanOfUnit(s, t), 2)];
});

/** 2 atan(sqrt((1 - x) / (1 + x))). */
export const Acos = composed((s, op) => {
  const t = s.do("sqrt", s.do("div", s.do("sub", 1, s.x), s.do("add", 1, s.x)));
  return ["mul", arctanOfPositive(s, op, t), 2];
});

export const Mish = composed((s) => ["mul", s.x, s.do("tanh", s.do("softplus", s.x))]);
export const IsNaN = composed((s) => ["not_equal", s.x, s.x]);

/** x * sigmoid(alpha * x). */
export const Swish: Converter = {
  convert(op) {
    const alpha = op.float("alpha", 1);
    if (alpha === 1) return op.emitAnyOrder("silu");
    const s = steps(op);
    op.emit("mul", [s.x, s.do("sigmoid", s.do("mul", s.x, alpha))], {}, { last: s.last });
  },
};

/** max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) = alpha * elu(x / alpha). */
export const Celu: Converter = {
  convert(op) {
    const alpha = op.float("alpha", 1);
    if (alpha === 1) return op.emitAnyOrder("elu", { alpha: 1 });
    const s = steps(op);
    const inner = op.step("elu", "elu", [s.do("mul", s.x, 1 / alpha)], { alpha: 1 });
    op.emit("mul", [inner, op.scalar("alpha", alpha)], {}, { last: s.last });
  },
};

export const ThresholdedRelu = composed((s, op) => [
  "select",
  s.do("greater", s.x, op.float("alpha", 1)),
  s.x,
  op.scalar("zero", 0),
]);

/** x + bias below -lambd, x - bias above lambd, 0 between. */
export const Shrink: Converter = {
  convert(op) {
    const s = steps(op);
    const integers = op.typeOf(s.x).dtype !== "f32";
    const [bias, lambd] = [op.float("bias", 0), op.float("lambd", 0.5)];
    const x = integers ? op.step("f32", "cast", [s.x], { to: "f32" }) : s.x;
    const low = s.do("less", x, -lambd);
    const high = s.do("greater", x, lambd);
    const above = op.step("above", "select", [high, s.do("sub", x, bias), op.scalar("zero", 0)]);
    const operands = [low, s.do("add", x, bias), above];
    if (!integers) return op.emit("select", operands, {}, { last: s.last });
    const y = op.step("shrunk", "select", operands);
    op.emit("cast", [y], { to: "i32" }, { last: s.last, dtype: op.dtype(0) });
  },
};

export const IsInf: Converter = {
  convert(op) {
    const [positive, negative] = [op.int("detect_positive", 1) !== 0, op.int("detect_negative", 1) !== 0];
    const s = steps(op);
    const x = positive && negative ? s.do("abs", s.x) : s.x;
    if (positive || negative) {
      const bound = op.scalar("infinity", positive ? Infinity : -Infinity);
      return op.emit("equal", [x, bound], {}, { last: s.last });
    }
    op.emit("less", [s.do("abs", s.x), op.scalar("zero", 0)], {}, { last: s.last });
  },
};

export const Not = unary("logical_not");

function binary(ir: string): Converter {
  return {
    convert(op) {
      const { tensors, last } = commonOrder(op, [0, 1]);
      op.emit(ir, tensors, {}, { last });
    },
  };
}

export const Add = binary("add");
export const Sub = binary("sub");
export const Mul = binary("mul");

/** In our own files the floor of a quotient is one operator. */
export const Div: Converter = {
  convert(op) {
    const { tensors, last } = commonOrder(op, [0, 1]);
    const next = op.context.ours ? soleReader(op, "Floor") : null;
    if (!next) return op.emit("div", tensors, {}, { last });
    op.context.done.add(next);
    op.emit("floor_div", tensors, {}, { last, ...resultOf(next) });
  },
};
export const PRelu: Converter = {
  convert(op) {
    const { tensors, last } = commonOrder(op, [0, 1]);
    if (op.type(0).dtype === "f32") return op.emit("prelu", tensors, {}, { last });
    const [x, slope] = tensors as [string, string];
    const above = op.step("above", "greater", [x, op.scalar("zero", 0, "i32")]);
    op.emit("select", [above, x, op.step("scaled", "mul", [x, slope])], {}, { last });
  },
};
export const Less = binary("less");
export const LessOrEqual = binary("less_equal");
export const Greater = binary("greater");
export const GreaterOrEqual = binary("greater_equal");
export const And = binary("logical_and");
export const Or = binary("logical_or");
export const Xor = binary("logical_xor");

/** Truth values are equal where they do not differ. */
export const Equal: Converter = {
  convert(op) {
    const { tensors, last } = commonOrder(op, [0, 1]);
    if (op.type(0).dtype === "bool") {
      return op.emit("logical_not", [op.step("differ", "logical_xor", tensors)], {}, { last });
    }
    const next = soleReader(op, "Not");
    if (!next) return op.emit("equal", tensors, {}, { last });
    op.context.done.add(next);
    op.emit("not_equal", tensors, {}, { last, ...resultOf(next) });
  },
};

/** A base of integers gives integers; the exponent may be of another type. */
export const Pow: Converter = {
  convert(op) {
    const { tensors, last } = commonOrder(op, [0, 1]);
    const [x, y] = tensors as [string, string];
    const [base, exponent] = [op.type(0).dtype, op.type(1).dtype];
    const float = (t: string, dtype: string): string =>
      dtype === "f32" ? t : op.step("f32", "cast", [t], { to: "f32" });
    if (base === exponent) return op.emit("pow", [x, y], {}, { last });
    const operands = [float(x, base), float(y, exponent)];
    if (base === "f32") return op.emit("pow", operands, {}, { last });
    op.emit("cast", [op.step("power", "pow", operands)], { to: "i32" }, { last, dtype: op.dtype(0) });
  },
};

/** `fmod`: the sign of the dividend; else, for integers, that of the divisor. */
export const Mod: Converter = {
  convert(op) {
    const { tensors, last } = commonOrder(op, [0, 1]);
    op.emit(op.int("fmod", 0) === 0 ? "floor_mod" : "mod_trunc", tensors, {}, { last });
  },
};

/** Condition, value where it holds, value elsewhere. */
export const Where: Converter = {
  convert(op) {
    const { tensors, last } = commonOrder(op, [0, 1, 2]);
    op.emit("select", tensors, {}, { last, dtype: op.dtype(1) });
  },
};

/** All operands, one after another; `last` finishes what the folds gave. */
function variadic(ir: string, mean = false): Converter {
  return {
    convert(op) {
      const { tensors, last } = commonOrder(op, allInputs(op));
      const [first, ...rest] = tensors as [string, ...string[]];
      if (rest.length === 0) return op.alias();
      const before = rest.slice(0, -1).reduce((acc, x, i) => op.step(`${ir}_${i}`, ir, [acc, x]), first);
      const operands = [before, rest.at(-1)];
      if (!mean) return op.emit(ir, operands, {}, { last });
      const sum = op.step("sum", ir, operands);
      op.emit("mul", [sum, op.scalar("share", 1 / tensors.length)], {}, { last });
    },
  };
}

export const Sum = variadic("add");
export const Mean = variadic("add", true);
export const Max = variadic("max");
export const Min = variadic("min");

/** Exporters write the largest float for "no bound". */
const UNBOUNDED = 3.4e38;

/** Bounds are attributes, from operator set 11 operands, which may be computed. */
export const Clip: Converter = {
  convert(op) {
    const computed = [1, 2].some((i) => op.has(i) && !op.isConstant(i));
    if (computed) return clipByOperands(op);
    const bound = (name: string, i: number): number | null => {
      const given = op.opset < 11 ? (op.hasAttribute(name) ? op.float(name, 0) : null) : op.scalarOf(i);
      return given === null || (Math.abs(given) >= UNBOUNDED && !op.context.ours) ? null : given;
    };
    const [min, max] = [bound("min", 1), bound("max", 2)];
    if (min === null && max === null) return op.alias();
    const floats = op.type(0).dtype === "f32";
    if (floats && min === 0 && max === 6) return op.emitAnyOrder("relu6");
    if (floats && min === 0 && max === null && !op.context.ours) return op.emitAnyOrder("relu");
    // Beyond its bounds crossed, everything is the upper one.
    const low = min !== null && max !== null && min > max ? max : min;
    op.emitAnyOrder("clip", { min: low, max });
  },
};

function clipByOperands(op: OnnxOp): void {
  const { x, last } = op.anyOrder;
  const raised = op.has(1) ? (op.has(2) ? op.step("raised", "max", [x, op.input(1)]) : null) : x;
  if (raised === null) return op.emit("max", [x, op.input(1)], {}, { last });
  op.emit("min", [raised, op.input(2)], {}, { last });
}

/** Between floats nothing changes; integers and truth values are cast. */
export const Cast: Converter = {
  refuse(op) {
    const to = op.int("to", T.UNDEFINED);
    return READABLE.has(to) ? null : `the target ${typeName(to)}`;
  },
  convert: (op) => castTo(op, op.int("to", T.UNDEFINED)),
};

const READABLE: ReadonlySet<number> = new Set([
  T.FLOAT,
  T.FLOAT16,
  T.BFLOAT16,
  T.DOUBLE,
  T.INT32,
  T.INT64,
  T.INT8,
  T.UINT8,
  T.BOOL,
]);

export function castTo(op: OnnxOp, target: number): void {
  const to = dtypeOf(target, op.where);
  const from = op.dtype(0);
  const { context } = op;
  if (to === from) return op.alias();
  const narrow = to === "i8" || to === "u8" || (to === "i64" && context.ours);
  if (narrow) return op.emit("cast", [context.inFileType(op.inputName(0))], { to });
  const computed = to === "i64" ? "i32" : to;
  // Between the integers nothing changes but the name.
  if (op.type(0).dtype === computed && !context.ours) return context.alias(op.inputName(0), op.output, to);
  const { x, last } = context.ours ? { x: context.inFileType(op.inputName(0)), last: false } : op.anyOrder;
  op.emit("cast", [x], { to: computed }, { last, dtype: to });
}

export const CastLike: Converter = {
  convert(op) {
    const to = { f32: T.FLOAT, i32: T.INT32, i64: T.INT64, i8: T.INT8, u8: T.UINT8, bool: T.BOOL }[op.dtype(1)];
    castTo(op, to);
  },
};
