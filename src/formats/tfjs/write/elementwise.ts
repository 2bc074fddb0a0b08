import { SELU } from "../../keras/activations.js";
import type { Node } from "../../../model/types.js";
import { attr, TF_TYPE, type TfjsWriter, type Writer } from "./context.js";

type Table = Readonly<Record<string, Writer>>;

const x = (w: TfjsWriter, node: Node, i = 0): string => w.ref(node.inputs[i]!);

const same =
  (op: string, attrs: (a: any) => Record<string, object> = () => ({})): Writer =>
  (w, node, a) =>
    w.add(
      node.outputs[0]!,
      op,
      node.inputs.map((t) => w.ref(t)),
      attrs(a),
    );

/** A chain of operators: each takes the last result as its first operand unless it says otherwise. */
class Chain {
  constructor(
    private readonly w: TfjsWriter,
    private readonly node: Node,
  ) {}

  /** Nodes of a decomposition are called after the operator and what they do. */
  op(op: string, inputs: readonly (string | number)[], attrs: Record<string, object> = {}): string {
    const { w, node } = this;
    const operands = inputs.map((v) => (typeof v === "number" ? w.scalar(v) : v));
    return w.add(`${node.outputs[0]!}/${op}`, op, operands, attrs);
  }
}

const composed =
  (build: (c: Chain, x: string, attrs: any, w: TfjsWriter, node: Node) => string): Writer =>
  (w, node, a) =>
    build(new Chain(w, node), x(w, node), a, w, node);

/** x above 0, alpha * (e^x - 1) below: relu(x) + alpha * min(elu(x), 0). */
function elu(c: Chain, v: string, alpha: number): string {
  if (alpha === 1) return c.op("Elu", [v]);
  return c.op("AddV2", [c.op("Relu", [v]), c.op("Mul", [c.op("Minimum", [c.op("Elu", [v]), 0]), alpha])]);
}

function selu(c: Chain, v: string, { alpha, gamma }: { alpha: number; gamma: number }): string {
  const standard = Math.fround(alpha) === Math.fround(SELU.alpha) && Math.fround(gamma) === Math.fround(SELU.gamma);
  return standard ? c.op("Selu", [v]) : c.op("Mul", [elu(c, v, alpha), gamma]);
}

/** x * Phi(x), or its form with tanh. */
function gelu(c: Chain, v: string, approximate: string): string {
  if (approximate === "none") {
    const phi = c.op("AddV2", [c.op("Erf", [c.op("Mul", [v, Math.SQRT1_2])]), 1]);
    return c.op("Mul", [c.op("Mul", [v, 0.5]), phi]);
  }
  const cube = c.op("Mul", [c.op("Mul", [c.op("Square", [v]), v]), 0.044715]);
  const inner = c.op("Mul", [c.op("AddV2", [v, cube]), Math.sqrt(2 / Math.PI)]);
  return c.op("Mul", [c.op("Mul", [v, 0.5]), c.op("AddV2", [c.op("Tanh", [inner]), 1])]);
}

/** Bounds are operands; an absent one is infinite. */
const clip: Writer = (w, node, a: { min: number | null; max: number | null }) => {
  const { dtype } = w.typeOf(node.inputs[0]!);
  if (dtype !== "f32") {
    const low = a.min === null ? x(w, node) : w.add(`${node.name}/low`, "Maximum", [x(w, node), w.int(a.min)]);
    return a.max === null ? low : w.add(node.outputs[0]!, "Minimum", [low, w.int(a.max)]);
  }
  const bounds = [w.scalar(a.min ?? -Infinity), w.scalar(a.max ?? Infinity)];
  return w.add(node.outputs[0]!, "ClipByValue", [x(w, node), ...bounds]);
};

/** Whole numbers are divided towards zero; TF.js rounds down. */
const divide: Writer = (w, node) => {
  if (w.typeOf(node.inputs[0]!).dtype === "f32") return same("RealDiv")(w, node, {});
  const c = new Chain(w, node);
  const [a, b] = [x(w, node), x(w, node, 1)];
  const sign = c.op("Mul", [c.op("Sign", [a]), c.op("Sign", [b])]);
  return c.op("Mul", [sign, c.op("FloorDiv", [c.op("Abs", [a]), c.op("Abs", [b])])]);
};

/** The remainder with the sign of the dividend. */
const remainder: Writer = (w, node) => {
  const c = new Chain(w, node);
  const [a, b] = [x(w, node), x(w, node, 1)];
  return c.op("Mul", [c.op("Sign", [a]), c.op("FloorMod", [c.op("Abs", [a]), c.op("Abs", [b])])]);
};

const cast: Writer = (w, node, { to }: { to: keyof typeof TF_TYPE }) => {
  const from = w.typeOf(node.inputs[0]!).dtype;
  if ((to === "i8" || to === "u8") && from !== to && from !== "bool") throw w.unsupported(node, `casts to ${to}`);
  if (TF_TYPE[from].type === TF_TYPE[to].type) return x(w, node);
  // A cast to truth values keeps the bits on one of TF.js's back ends.
  if (to === "bool") return w.add(node.outputs[0]!, "NotEqual", [x(w, node), w.scalar(0, from)]);
  return w.add(node.outputs[0]!, "Cast", [x(w, node)], {
    SrcT: attr.type(TF_TYPE[from].type),
    DstT: attr.type(TF_TYPE[to].type),
  });
};

interface Quantised {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number | null;
  readonly dtype?: "i8" | "u8" | "i32";
  readonly rounding?: "away" | "even";
}

const LIMITS = { i8: [-128, 127], u8: [0, 255], i32: [-(2 ** 31), 2 ** 31 - 1] } as const;

/** Scales or zero points as an operand: one number, or one for each index of the axis. */
function along(w: TfjsWriter, node: Node, list: readonly number[], axis: number | null): string {
  if (axis === null || list.length === 1) return w.scalar(list[0]!);
  const rank = w.typeOf(node.inputs[0]!).shape.length;
  const shape = Array.from({ length: rank - axis }, (_, k) => (k === 0 ? list.length : 1));
  return w.constant(`${node.name}/quantisation`, "f32", shape, Float32Array.from(list));
}

/** round(x / scale) + zero point within the limits, as floats. */
function quantised(c: Chain, w: TfjsWriter, node: Node, a: Quantised, v: string): string {
  const scaled = c.op("RealDiv", [v, along(w, node, a.scale, a.axis)]);
  const rounded =
    a.rounding === "even"
      ? c.op("Round", [scaled])
      : c.op("Mul", [c.op("Sign", [scaled]), c.op("Floor", [c.op("AddV2", [c.op("Abs", [scaled]), 0.5])])]);
  const [low, high] = LIMITS[a.dtype ?? "i8"];
  const moved = c.op("AddV2", [rounded, along(w, node, a.zeroPoint, a.axis)]);
  return c.op("ClipByValue", [moved, low, high]);
}

function dequantised(c: Chain, w: TfjsWriter, node: Node, a: Quantised, v: string): string {
  return c.op("Mul", [c.op("Sub", [v, along(w, node, a.zeroPoint, a.axis)]), along(w, node, a.scale, a.axis)]);
}

const toFloat = { SrcT: attr.type("DT_INT32"), DstT: attr.type("DT_FLOAT") };
const toInt = { SrcT: attr.type("DT_FLOAT"), DstT: attr.type("DT_INT32") };

/** Operators on single elements. */
export const elementwise: Table = {
  tanh: same("Tanh"),
  exp: same("Exp"),
  log: same("Log"),
  sqrt: same("Sqrt"),
  rsqrt: same("Rsqrt"),
  abs: same("Abs"),
  neg: same("Neg"),
  sign: same("Sign"),
  floor: same("Floor"),
  ceil: same("Ceil"),
  round: same("Round"),
  erf: same("Erf"),
  sin: same("Sin"),
  cos: same("Cos"),
  reciprocal: same("Reciprocal"),
  softplus: same("Softplus"),
  relu: same("Relu"),
  relu6: same("Relu6"),
  sigmoid: same("Sigmoid"),
  leaky_relu: same("LeakyRelu", (a: { alpha: number }) => ({ alpha: attr.float(a.alpha) })),
  prelu: same("Prelu"),
  softsign: composed((c, v) => c.op("RealDiv", [v, c.op("AddV2", [c.op("Abs", [v]), 1])])),
  silu: composed((c, v) => c.op("Mul", [v, c.op("Sigmoid", [v])])),
  hard_swish: composed((c, v) => c.op("Mul", [v, c.op("Mul", [c.op("Relu6", [c.op("AddV2", [v, 3])]), 1 / 6])])),
  hard_sigmoid: composed((c, v, a: { alpha: number; beta: number }) =>
    c.op("ClipByValue", [c.op("AddV2", [c.op("Mul", [v, a.alpha]), a.beta]), 0, 1]),
  ),
  elu: composed((c, v, a: { alpha: number }) => elu(c, v, a.alpha)),
  selu: composed(selu),
  gelu: composed((c, v, a: { approximate: string }) => gelu(c, v, a.approximate)),
  clip,
  add: same("AddV2"),
  sub: same("Sub"),
  mul: same("Mul"),
  div: divide,
  min: same("Minimum"),
  max: same("Maximum"),
  pow: same("Pow"),
  floor_div: same("FloorDiv"),
  floor_mod: same("FloorMod"),
  mod_trunc: remainder,
  equal: same("Equal"),
  not_equal: same("NotEqual"),
  less: same("Less"),
  less_equal: same("LessEqual"),
  greater: same("Greater"),
  greater_equal: same("GreaterEqual"),
  logical_and: same("LogicalAnd"),
  logical_or: same("LogicalOr"),
  logical_not: same("LogicalNot"),
  logical_xor: same("NotEqual"),
  select: same("SelectV2"),
  cast,
  dequantize: composed((c, v, a: Quantised, w, node) => dequantised(c, w, node, a, c.op("Cast", [v], toFloat))),
  quantize: composed((c, v, a: Quantised, w, node) => c.op("Cast", [quantised(c, w, node, a, v)], toInt)),
  fake_quantize: composed((c, v, a: Quantised, w, node) => dequantised(c, w, node, a, quantised(c, w, node, a, v))),
};
