import type { Dtype, Quantisation } from "../../../model/types.js";
import { AWAY, CHANNELS_LAST, partName } from "../producer.js";
import { ELEMENT_TYPE, type OnnxWriter } from "./context.js";
import { anyOrder, binary, commonOrder, emitAnyOrder, joined, type OperatorWriter } from "./forms.js";

const float = (value: number): { float: number } => ({ float: value });

/** Bounds of a `Clip` in the element type of its operand; an absent one is left out. */
function clip(w: OnnxWriter, dtype: Dtype, min: number | null, max: number | null): string[] {
  const bound = (v: number | null, what: string): string =>
    v === null ? "" : w.literal(`clip/${what}`, dtype === "f32" ? "f32" : "i32", [], [v], `clip ${what} ${dtype} ${v}`);
  const bounds = [bound(min, "min"), bound(max, "max")];
  return max === null ? bounds.slice(0, min === null ? 0 : 1) : bounds;
}

interface QuantAttrs extends Quantisation {
  readonly rounding?: "away" | "even";
}

/** Scale and zero point as operands; 32-bit integers have no zero point. */
function scales(w: OnnxWriter, name: string, dtype: Dtype, q: Quantisation): string[] {
  const shape = q.axis === null ? [] : [q.scale.length];
  const zeros = q.scale.map((_, i) => q.zeroPoint[i] ?? q.zeroPoint[0]!);
  const scale = w.literal(`${name}/scale`, "f32", shape, q.scale);
  return dtype === "i32" ? [scale] : [scale, w.literal(`${name}/zero_point`, dtype, shape, zeros)];
}

const axisOf = (q: Quantisation): Record<string, number> => (q.axis === null ? {} : { axis: q.axis });

function quantizeNote({ rounding = "away" }: QuantAttrs): string {
  return rounding === "away" ? AWAY : "";
}

/** For i32: (a - (a mod b)) / b, exact, with the remainder's sign that of the divisor. */
const floorDiv: OperatorWriter = (w, node, attrs) => {
  if (w.type(node.inputs[0]!).dtype === "f32") return joined("Div", "Floor", "common")(w, node, attrs);
  const [a, b] = node.inputs.map((x) => w.plain(x)) as [string, string];
  const rest = w.add("Mod", `${node.name}/mod`, [a, b], w.freshName(`${node.name}/mod`));
  const whole = w.add("Sub", `${node.name}/whole`, [a, rest], w.freshName(`${node.name}/whole`));
  w.emit(node, "Div", [whole, b]);
};

/** For f32: a - floor(a / b) * b. */
const floorMod: OperatorWriter = (w, node, attrs) => {
  if (w.type(node.inputs[0]!).dtype !== "f32") return binary("Mod")(w, node, attrs);
  const { inputs, first } = commonOrder(w, node);
  const [a, b] = inputs as [string, string];
  const step = (op: string, operands: string[], suffix: string): string =>
    w.add(
      op,
      `${node.name}/${suffix}`,
      operands,
      w.freshName(`${node.name}/${suffix}`),
      {},
      first ? CHANNELS_LAST : "",
    );
  const floor = step("Floor", [step("Div", [a, b], "quotient")], "floor");
  const product = step("Mul", [floor, b], "whole");
  if (first) w.emitFirst(node, "Sub", [a, product]);
  else w.emit(node, "Sub", [a, product]);
};

export const elementwise: Readonly<Record<string, OperatorWriter>> = {
  abs: anyOrder("Abs"),
  ceil: anyOrder("Ceil"),
  cos: anyOrder("Cos"),
  erf: anyOrder("Erf"),
  exp: anyOrder("Exp"),
  floor: anyOrder("Floor"),
  hard_swish: anyOrder("HardSwish"),
  log: anyOrder("Log"),
  neg: anyOrder("Neg"),
  reciprocal: anyOrder("Reciprocal"),
  relu: anyOrder("Relu"),
  round: anyOrder("Round"),
  sigmoid: anyOrder("Sigmoid"),
  sign: anyOrder("Sign"),
  sin: anyOrder("Sin"),
  softplus: anyOrder("Softplus"),
  softsign: anyOrder("Softsign"),
  sqrt: anyOrder("Sqrt"),
  tanh: anyOrder("Tanh"),
  logical_not: anyOrder("Not"),
  elu: anyOrder("Elu", ({ alpha }) => ({ alpha: float(alpha) })),
  selu: anyOrder("Selu", ({ alpha, gamma }) => ({ alpha: float(alpha), gamma: float(gamma) })),
  leaky_relu: anyOrder("LeakyRelu", ({ alpha }) => ({ alpha: float(alpha) })),
  hard_sigmoid: anyOrder("HardSigmoid", ({ alpha, beta }) => ({ alpha: float(alpha), beta: float(beta) })),
  gelu: anyOrder("Gelu", ({ approximate }) => ({ approximate })),
  rsqrt: joined("Sqrt", "Reciprocal", "one"),
  silu: joined("Sigmoid", "Mul", "one", true),
  relu6(w, node) {
    const bounds = [0, 6].map((v) => w.literal(`relu6/${v === 0 ? "min" : "max"}`, "f32", [], [v], `relu6 ${v}`));
    emitAnyOrder(w, node, "Clip", {}, bounds);
  },
  clip(w, node, { min, max }) {
    emitAnyOrder(w, node, "Clip", {}, clip(w, w.type(node.inputs[0]!).dtype, min, max));
  },
  add: binary("Add"),
  sub: binary("Sub"),
  mul: binary("Mul"),
  div: binary("Div"),
  min: binary("Min"),
  max: binary("Max"),
  pow: binary("Pow"),
  prelu: binary("PRelu"),
  equal: binary("Equal"),
  not_equal: joined("Equal", "Not", "common"),
  less: binary("Less"),
  less_equal: binary("LessOrEqual"),
  greater: binary("Greater"),
  greater_equal: binary("GreaterOrEqual"),
  logical_and: binary("And"),
  logical_or: binary("Or"),
  logical_xor: binary("Xor"),
  select: binary("Where"),
  mod_trunc: binary("Mod", { fmod: 1 }),
  floor_div: floorDiv,
  floor_mod: floorMod,
  cast: anyOrder("Cast", ({ to }) => ({ to: ELEMENT_TYPE[to as Dtype] })),
  quantize(w, node, attrs: QuantAttrs) {
    const [x] = node.inputs as [string];
    const operands = [w.plain(x), ...scales(w, node.name, attrs.dtype, attrs)];
    w.emit(node, "QuantizeLinear", operands, axisOf(attrs), quantizeNote(attrs));
  },
  dequantize(w, node, attrs: Quantisation) {
    const [q] = node.inputs as [string];
    const operands = [w.plain(q), ...scales(w, node.name, w.type(q).dtype, attrs)];
    w.emit(node, "DequantizeLinear", operands, axisOf(attrs));
  },
  fake_quantize(w, node, attrs: QuantAttrs) {
    const [x] = node.inputs as [string];
    const operands = scales(w, node.name, attrs.dtype, attrs);
    const name = partName(node.name);
    const q = w.add(
      "QuantizeLinear",
      name,
      [w.plain(x), ...operands],
      w.freshName(name),
      axisOf(attrs),
      quantizeNote(attrs),
    );
    w.emit(node, "DequantizeLinear", [q, ...operands], axisOf(attrs));
  },
};
