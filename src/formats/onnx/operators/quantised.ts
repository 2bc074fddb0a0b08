/**
 * Quantised operators as a float graph that keeps its scales: a value that the file holds as integers is a float value
 * here, annotated with what its integers mean. Integers appear where the interface or an operator on integers wants them.
 */
import type { Quantisation, Shape } from "../../../model/types.js";
import { axisOf } from "../../shared/check.js";
import { Pieces } from "./pieces.js";
import { refuseComputed, type Converter, type OnnxOp } from "../op.js";
import { quantOf } from "../fold.js";
import { AWAY, partName } from "../producer.js";
import type { Constant } from "../wire.js";
import { AveragePool, GlobalAveragePool } from "./pooling.js";
import { Conv } from "./convolution.js";
import { Add, LeakyRelu, Mul, resultOf } from "./elementwise.js";
import { Concat } from "./layout.js";
import { Gemm, MatMul, matmul } from "./matrix.js";
import { Softmax } from "./normalisation.js";

/** Scale and zero point at the operands `scale` and `zero`, for a tensor of rank `rank`; null where they are computed. */
function statedQuant(op: OnnxOp, scale: number, zero: number, rank: number): Quantisation | null {
  const s = op.constant(scale);
  const z = op.has(zero) ? op.constant(zero) : null;
  if (op.int("block_size", 0) > 0) return null;
  if (!s || s.alt || z === undefined || z?.alt) return null;
  return quantOf(op, z?.dtype ?? "u8", s, z, rank);
}

function sameQuant(a: Quantisation, b: Quantisation): boolean {
  return (
    a.dtype === b.dtype &&
    a.axis === b.axis &&
    a.scale.join() === b.scale.join() &&
    a.zeroPoint.join() === b.zeroPoint.join()
  );
}

/** The integers of output 0 (or `output`) stand for the floats of the value `float`. */
function bindQuantised(op: OnnxOp, float: string, quant: Quantisation, output = op.output): void {
  op.context.quantised.set(output, { float, quant, axisInFile: quant.axis });
}

/** The float value of operand i, whose integers mean `quant`. */
function floatOf(op: OnnxOp, i: number, quant: Quantisation): string {
  const name = op.inputName(i);
  const { context } = op;
  const known = context.quantised.get(name);
  if (known && sameQuant(known.quant, quant)) return context.floatOfQuantised(name);
  const constant = context.constants.get(name);
  const key = `${name}/float ${quant.scale.length} ${quant.scale[0]} ${quant.zeroPoint[0]}`;
  if (context.isKnown(key)) return key;
  if (constant) {
    context.constants.set(key, dequantised(constant, quant));
    return key;
  }
  const { dtype: _, ...scales } = quant;
  const raw = context.inFileType(name);
  const tensor = op.step(`${i}/float`, "dequantize", [raw], { ...scales });
  context.bind(key, { file: tensor, dtype: "f32" });
  return key;
}

function dequantised(q: Constant, quant: Quantisation): Constant {
  const { scale, zeroPoint, axis } = quant;
  const inner = axis === null ? 1 : q.shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  const values = q.data;
  const data = new Float32Array(values.length);
  for (let i = 0; i < data.length; i++) {
    const k = axis === null ? 0 : Math.floor(i / inner) % q.shape[axis]!;
    data[i] = (Number(values[i]) - (zeroPoint[k] ?? zeroPoint[0]!)) * scale[k]!;
  }
  return { dtype: "f32", shape: q.shape, data, quant };
}

/** Scales, one, one for each index of an axis or for blocks of it, as they meet a tensor of this shape. */
function alongAxis(op: OnnxOp, t: string, shape: Shape, axis: number): string {
  const own = op.typeOf(t).shape;
  const block = op.int("block_size", 0);
  if (block > 0 && own.length === shape.length) {
    const p = new Pieces(op);
    const [front, behind] = [own.slice(0, axis + 1), own.slice(axis + 1)];
    const apart = p.reshape(t, [...front, 1, ...behind]);
    const batch = op.typeOf(apart).batchAxis;
    const to = [...front, block, ...behind].map((d, i) => (i === batch ? -1 : d));
    const wide = p.reshape(p.do("broadcast_to", [apart], { shape: to }), own.map((d, i) => (i === axis ? d * block : d))); // prettier-ignore
    return own[axis]! * block === shape[axis] ? wide : p.part(wide, axis, 0, shape[axis]!);
  }
  if (own.length !== 1 || own[0] === 1 || shape.length < 2) return t;
  return op.step("along", "reshape", [t], { shape: [own[0]!, ...shape.slice(axis + 1).map(() => 1)] });
}

/** Scales that are no constants of the IR's quantised types: the steps that the operator is defined by. */
function quantiseBySteps(op: OnnxOp, x = op.input(0), of: readonly [scale: number, zero: number] = [1, 2]): void {
  const { shape } = op.typeOf(x);
  const axis = shape.length > 1 ? axisOf(op.int("axis", 1), shape.length, op.where) : 0;
  const dtype = op.has(of[1]) ? op.dtype(of[1]) : "u8";
  if (dtype !== "u8" && dtype !== "i8") throw op.unsupported(`quantisation to ${dtype}`);
  const scale = alongAxis(op, op.input(of[0]), shape, axis);
  const steps = op.step("steps", "round", [op.step("quotient", "div", [x, scale])]);
  const zero = op.has(of[1])
    ? alongAxis(op, op.step("zero_point", "cast", [op.input(of[1])], { to: "f32" }), shape, axis)
    : op.scalar("zero_point", 0);
  const [min, max] = dtype === "u8" ? [0, 255] : [-128, 127];
  const clipped = op.step("clipped", "clip", [op.step("shifted", "add", [steps, zero])], { min, max });
  op.emit("cast", [clipped], { to: dtype });
}

/** The element type that is asked for, where it is one that can be read. */
function refuseTarget(op: OnnxOp): string | null {
  const type = op.int("output_dtype", 0);
  if (type !== 0 && type !== 2 && type !== 3) return "an output type other than uint8 and int8";
  const zero = op.constant(2);
  return zero && !["i8", "u8", "i32"].includes(zero.dtype) ? `${zero.dtype} values` : null;
}

export const QuantizeLinear: Converter = {
  refuse: refuseTarget,
  convert(op) {
    const { context } = op;
    const rank = op.type(0).shape.length;
    const stated = statedQuant(op, 1, 2, rank);
    const signed = op.int("output_dtype", 0) === 3 && !op.has(2);
    const quant = stated && signed ? { ...stated, dtype: "i8" as const } : stated;
    if (!quant || op.type(0).dtype !== "f32") return quantiseBySteps(op);
    if (!context.ours && !context.constants.has(op.inputName(0))) return bindQuantised(op, op.inputName(0), quant);
    const rounding = op.node.docString === AWAY ? "away" : "even";
    const next = context.soleReader.get(op.output);
    if (context.ours && next?.opType === "DequantizeLinear" && op.node.name === partName(next.name)) {
      context.done.add(next);
      return op.emit("fake_quantize", [op.input(0)], { ...quant, rounding }, resultOf(next));
    }
    op.emit("quantize", [op.input(0)], { ...quant, rounding });
  },
};

export const DequantizeLinear: Converter = {
  convert(op) {
    const { context } = op;
    const name = op.inputName(0);
    const scale = op.constant(1);
    const zero = op.has(2) ? op.constant(2) : null;
    const dtype = op.dtype(0);
    const quant =
      scale && zero !== undefined && !scale.alt ? quantOf(op, dtype, scale, zero, op.type(0).shape.length) : null;
    if (!quant) return dequantiseBySteps(op);
    if (!context.ours) return context.alias(floatOf(op, 0, quant), op.output);
    const { dtype: _, ...scales } = quant;
    op.emit("dequantize", [context.inFileType(name)], { ...scales });
  },
};

function dequantiseBySteps(op: OnnxOp): void {
  const float = (i: number): string =>
    op.type(i).dtype === "f32" ? op.input(i) : op.step(`${i}/f32`, "cast", [op.input(i)], { to: "f32" });
  const { shape } = op.type(0);
  const axis = shape.length > 1 ? axisOf(op.int("axis", 1), shape.length, op.where) : 0;
  const along = (t: string): string => alongAxis(op, t, shape, axis);
  const centred = op.has(2) ? op.step("centred", "sub", [float(0), along(float(2))]) : float(0);
  op.emit("mul", [centred, along(float(1))]);
}

/**
 * scale = range of x and 0 / 255, zero point = round(-min / scale), y = round(x / scale) + zero point, all at run time.
 */
export const DynamicQuantizeLinear: Converter = {
  convert(op) {
    const x = op.input(0);
    const axes = op.typeOf(x).shape.map((_, i) => i);
    const zero = op.scalar("zero", 0);
    const extreme = (ir: string, suffix: string): string =>
      axes.length === 0 ? x : op.step(suffix, ir, [x], { axes, keepDims: false });
    const max = op.step("max", "max", [extreme("reduce_max", "largest"), zero]);
    const min = op.step("min", "min", [extreme("reduce_min", "smallest"), zero]);
    const [y = "", scaleName = "", zeroName = ""] = op.node.output;
    const scale = op.step("scale", "div", [op.step("range", "sub", [max, min]), op.scalar("steps", 255)]);
    op.give(scale, { output: scaleName });
    const shifted = op.step("shifted", "neg", [op.step("low", "div", [min, scale])]);
    const point = op.step("point", "clip", [op.step("rounded", "round", [shifted])], { min: 0, max: 255 });
    op.emit("cast", [point], { to: "u8" }, { output: zeroName });
    const steps = op.step("count", "round", [op.step("quotient", "div", [x, scale])]);
    const clipped = op.step("clipped", "clip", [op.step("sum", "add", [steps, point])], { min: 0, max: 255 });
    op.emit("cast", [clipped], { to: "u8" }, { output: y });
  },
};

/** The scales of the result, and the float operator in between. */
function viaFloat(
  converter: Converter,
  opType: string,
  operands: (op: OnnxOp) => string[],
  result: readonly [scale: number, zero: number],
  constants: Readonly<Record<number, string>>,
  /** Scales may be computed. */
  steps = false,
): Converter {
  return {
    refuse: (op) =>
      (steps ? null : refuseComputed(op, { ...constants, [result[0]]: "a scale", [result[1]]: "a zero point" })) ??
      converter.refuse?.(op) ??
      null,
    convert(op) {
      const inputs = operands(op);
      const float = `${op.output}/float`;
      const inner = op.derived({ opType, input: inputs, output: [float] });
      converter.convert(inner);
      const quant = statedQuant(op, result[0], result[1], op.context.typeOf(float).shape.length);
      if (!quant && steps) return quantiseBySteps(op, op.context.inFileOrder(float), result);
      if (!quant) throw op.unsupported("these scales of its result");
      bindQuantised(op, float, quant);
    },
  };
}

/** Operand `i` with its scale and zero point right behind it. */
function operand(op: OnnxOp, i: number, scale = i + 1, zero = i + 2): string {
  const rank = op.type(i).shape.length;
  const quant = statedQuant(op, scale, zero, rank);
  if (!quant && op.node.opType.startsWith("QLinear")) return operandBySteps(op, i, scale, zero);
  if (!quant) throw op.unsupported(`the scales of its input ${i}`);
  const own = quant.axis === null ? quant : { ...quant, axis: weightAxis(op, rank) };
  return floatOf(op, i, { ...own, dtype: op.dtype(i) as Quantisation["dtype"] });
}

/** (q - zero point) * scale, all computed. A left matrix has its scales along its rows. */
function operandBySteps(op: OnnxOp, i: number, scale: number, zero: number): string {
  const float = (k: number): string => {
    const t = op.input(k);
    return op.typeOf(t).dtype === "f32" ? t : op.step(`${k}/f32`, "cast", [t], { to: "f32" });
  };
  const { shape } = op.type(i);
  const axis = i === 0 ? shape.length - 2 : weightAxis(op, shape.length);
  const along = (k: number): string => alongAxis(op, float(k), shape, axis);
  const centred = op.has(zero) ? op.step("centred", "sub", [float(i), along(zero)]) : float(i);
  const name = `${op.inputName(i)}/${op.output}/float`;
  op.context.bind(name, { file: op.step("scaled", "mul", [centred, along(scale)]), dtype: "f32" });
  return name;
}

/** Weights have a scale for each output: axis 0 of a convolution, the last of a matrix. */
function weightAxis(op: OnnxOp, rank: number): number {
  return op.node.opType.includes("Conv") ? 0 : rank - 1;
}

const SCALES = { 1: "a scale", 2: "a zero point", 4: "a scale", 5: "a zero point" } as const;

/** A bias of 32 bits in units of both scales. */
function biasBySteps(op: OnnxOp): string {
  const bias = op.step("bias", "cast", [op.input(8)], { to: "f32" });
  const name = `${op.inputName(8)}/${op.output}/float`;
  const unit = op.step("unit", "mul", [op.input(1), op.input(4)]);
  op.context.bind(name, { file: op.step("scaled", "mul", [bias, unit]), dtype: "f32" });
  return name;
}

/** x, its scale and zero point, weights likewise, those of the result, a bias of 32 bits in units of both scales. */
export const QLinearConv = viaFloat(
  Conv,
  "Conv",
  (op) => {
    const x = operand(op, 0);
    const w = operand(op, 3);
    if (!op.has(8)) return [x, w];
    if (op.isComputed(1) || op.isComputed(4)) return [x, w, biasBySteps(op)];
    const [xs, ws] = [op.floats(1)[0]!, op.floats(4)];
    const scale = Array.from(ws, (s) => s * xs);
    const quant: Quantisation = {
      dtype: "i32",
      scale,
      zeroPoint: scale.map(() => 0),
      axis: scale.length === 1 ? null : 0,
    };
    return [x, w, floatOf(op, 8, quant)];
  },
  [6, 7],
  SCALES,
  true,
);

export const QLinearMatMul = viaFloat(MatMul, "MatMul", (op) => [operand(op, 0), operand(op, 3)], [6, 7], SCALES, true);
const two = (op: OnnxOp): string[] => [operand(op, 0), operand(op, 3)];
const one = (op: OnnxOp): string[] => [operand(op, 0)];

/** ONNX Runtime's own quantised operators (domain com.microsoft). */
export const microsoft: Readonly<Record<string, Converter>> = {
  QuantizeLinear,
  DequantizeLinear,
  QLinearAdd: viaFloat(Add, "Add", two, [6, 7], SCALES),
  QLinearMul: viaFloat(Mul, "Mul", two, [6, 7], SCALES),
  QLinearLeakyRelu: viaFloat(LeakyRelu, "LeakyRelu", one, [3, 4], { 1: "a scale", 2: "a zero point" }),
  QLinearSigmoid: viaFloat({ convert: (op) => op.emitAnyOrder("sigmoid") }, "Sigmoid", one, [3, 4], {
    1: "a scale",
    2: "a zero point",
  }),
  QLinearSoftmax: viaFloat(Softmax, "Softmax", one, [3, 4], { 1: "a scale", 2: "a zero point" }),
  QLinearGlobalAveragePool: viaFloat(GlobalAveragePool, "GlobalAveragePool", one, [3, 4], {
    1: "a scale",
    2: "a zero point",
  }),
  QLinearAveragePool: viaFloat(AveragePool, "AveragePool", one, [3, 4], { 1: "a scale", 2: "a zero point" }),
  QLinearConcat: viaFloat(
    Concat,
    "Concat",
    (op) => Array.from({ length: (op.inputCount - 2) / 3 }, (_, k) => operand(op, 2 + 3 * k)),
    [0, 1],
    {},
  ),
  QGemm: viaFloat(
    Gemm,
    "Gemm",
    (op) => {
      const [a, b] = two(op) as [string, string];
      if (!op.has(6)) return [a, b];
      const scale = Array.from(op.floats(4), (s) => s * op.floats(1)[0]! * op.float("alpha", 1));
      const quant: Quantisation = { dtype: "i32", scale, zeroPoint: scale.map(() => 0), axis: null };
      return [a, b, floatOf(op, 6, { ...quant, axis: scale.length === 1 ? null : 0 })];
    },
    [7, 8],
    SCALES,
  ),
};

/** Operand i minus its zero point, as floats: exact, since both have 8 bits. */
function centred(op: OnnxOp, i: number, zero: number, axis: number | null): string {
  const name = op.inputName(i);
  const { context } = op;
  const constant = context.constants.get(name);
  const point = op.has(zero) ? op.constant(zero) : null;
  if (constant && point !== undefined) {
    const key = `${name}/centred`;
    const points = point ? Array.from(point.data as ArrayLike<number>, Number) : [0];
    const quant: Quantisation = {
      dtype: constant.dtype === "u8" ? "u8" : "i8",
      scale: points.map(() => 1),
      zeroPoint: points,
      axis: points.length === 1 ? null : axis,
    };
    context.constants.set(key, dequantised(constant, quant));
    return key;
  }
  const float = op.step(`${i}/f32`, "cast", [context.inFileType(name)], { to: "f32" });
  const key = `${name}/${op.output}/centred`;
  if (!op.has(zero)) context.bind(key, { file: float, dtype: "f32" });
  else {
    const z = op.step(`${zero}/f32`, "cast", [op.input(zero)], { to: "f32" });
    const { shape } = op.type(zero);
    // One for each row of the left matrix, for each output of a convolution, else for each column.
    const behind = axis === 0 ? op.type(i).shape.length - 1 : i === 0 ? 1 : 0;
    const column = shape.length === 1 && shape[0]! > 1 && behind > 0;
    const target = [shape[0] ?? 1, ...new Array<number>(behind).fill(1)];
    const points = column ? op.step("column", "reshape", [z], { shape: target }) : z;
    context.bind(key, { file: op.step(`${i}/centred`, "sub", [float, points]), dtype: "f32" });
  }
  return key;
}

/** Sums of products of 8-bit integers: exact in floats as long as they have 24 bits. */
export const MatMulInteger: Converter = {
  convert(op) {
    const rank = op.type(1).shape.length;
    const [a, b] = [centred(op, 0, 2, null), centred(op, 1, 3, rank - 1)];
    const y = matmul(op, op.context.inFileOrder(a), op.context.inFileOrder(b));
    op.emit("cast", [y], { to: "i32" }, { dtype: "i32" });
  },
};

export const ConvInteger: Converter = {
  refuse: (op) => Conv.refuse?.(op) ?? null,
  convert(op) {
    const float = `${op.output}/float`;
    const inputs = [centred(op, 0, 2, null), centred(op, 1, 3, 0)];
    Conv.convert(op.derived({ opType: "Conv", input: inputs, output: [float] }));
    const last = op.context.hasLast(float);
    const y = last ? op.context.inLastOrder(float) : op.context.inFileOrder(float);
    op.emit("cast", [y], { to: "i32" }, { last, dtype: "i32" });
  },
};
