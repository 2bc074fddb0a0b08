import type { Attrs } from "../../../model/types.js";
import { squaredDifference } from "../../shared/decompose/arithmetic.js";
import { activationOf, refuseActivation, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

/** One IR operator of the same operands, with a fused activation where the table of options has one. */
function same(op: string, attrs: Attrs = {}): Converter {
  return { convert: (o) => o.result(op, o.inputs(), attrs) };
}

function fused(op: string): Converter {
  return {
    refuse: (o) => refuseActivation(o, F.Binary.activation),
    convert: (o) => o.result(op, [o.input(0), o.input(1)], {}, activationOf(o, F.Binary.activation)),
  };
}

/** The alternatives have one dtype; a condition of rank 1 chooses rows. */
function select(rows: boolean): Converter {
  return {
    refuse: (o) => (o.inputCount === 3 ? null : "one operand: its result has as many rows as there are hits"),
    convert(o) {
      let condition = o.input(0);
      const { shape } = o.type(condition);
      const { shape: out } = o.type(o.input(1));
      if (rows && shape.length === 1 && out.length > 1) {
        condition = o.step("rows", "reshape", [condition], {
          shape: [batchOr(o, condition, 0), ...out.slice(1).map(() => 1)],
        });
      }
      o.result("select", [condition, o.input(1), o.input(2)]);
    },
  };
}

/** -1 on the batch axis, else the extent. */
function batchOr(o: TfliteOp, tensor: string, axis: number): number {
  const { shape, batchAxis } = o.type(tensor);
  return batchAxis === axis ? -1 : shape[axis]!;
}

const ADD_N: Converter = {
  convert(o) {
    const [first, ...rest] = o.inputs() as [string, ...string[]];
    o.bind(rest.reduce((sum, x) => o.emit("add", [sum, x]), first));
  },
};

const SQUARE: Converter = {
  convert: (o) => o.result("mul", [o.input(0), o.input(0)]),
};

const SQUARED_DIFFERENCE: Converter = {
  convert: (o) => o.bind(squaredDifference(o, o.input(0), o.input(1))),
};

/** Whatever x is, NaN apart. */
const ZEROS_LIKE: Converter = {
  convert: (o) => o.result("clip", [o.input(0)], { min: 0, max: 0 }),
};

const LEAKY_RELU: Converter = {
  convert: (o) => o.result("leaky_relu", [o.input(0)], { alpha: o.option((t) => t.f32(F.LeakyRelu.alpha), 0) }),
};

const GELU: Converter = {
  convert(o) {
    const tanh = o.option((t) => t.bool(F.Gelu.approximate), false);
    o.result("gelu", [o.input(0)], { approximate: tanh ? "tanh" : "none" });
  },
};

/** The ends are moved so that 0 is one of the steps, as TensorFlow's FakeQuantWithMinMaxVars does. */
const FAKE_QUANT: Converter = {
  refuse: (o) => (o.option((t) => t.i32(F.FakeQuant.bits), 0) === 8 ? null : "other than 8 bits"),
  convert(o) {
    const number = (field: number): number => o.option((t) => t.f32(field), 0);
    const [min, max] = [number(F.FakeQuant.min), number(F.FakeQuant.max)];
    const low = o.option((t) => t.bool(F.FakeQuant.narrow), false) ? 1 : 0;
    const scale = Math.fround((max - min) / (255 - low));
    const zero = Math.min(Math.max(Math.round(low - min / scale), low), 255);
    const x = o.step("range", "clip", [o.input(0)], { min: (low - zero) * scale, max: (255 - zero) * scale });
    o.result("fake_quantize", [x], { dtype: "u8", scale: [scale], zeroPoint: [zero], axis: null });
  },
};

export const elementwise: Readonly<Record<string, Converter>> = {
  ABS: same("abs"),
  ADD: fused("add"),
  ADD_N,
  CEIL: same("ceil"),
  COS: same("cos"),
  DIV: fused("div"),
  ELU: same("elu", { alpha: 1 }),
  EQUAL: same("equal"),
  EXP: same("exp"),
  FAKE_QUANT,
  FLOOR: same("floor"),
  FLOOR_DIV: same("floor_div"),
  FLOOR_MOD: same("floor_mod"),
  GELU,
  GREATER: same("greater"),
  GREATER_EQUAL: same("greater_equal"),
  HARD_SWISH: same("hard_swish"),
  LEAKY_RELU,
  LESS: same("less"),
  LESS_EQUAL: same("less_equal"),
  LOG: same("log"),
  LOGICAL_AND: same("logical_and"),
  LOGICAL_NOT: same("logical_not"),
  LOGICAL_OR: same("logical_or"),
  LOGISTIC: same("sigmoid"),
  MAXIMUM: same("max"),
  MINIMUM: same("min"),
  MUL: fused("mul"),
  NEG: same("neg"),
  NOT_EQUAL: same("not_equal"),
  POW: same("pow"),
  PRELU: same("prelu"),
  RELU: same("relu"),
  RELU6: same("relu6"),
  RELU_0_TO_1: same("clip", { min: 0, max: 1 }),
  RELU_N1_TO_1: same("clip", { min: -1, max: 1 }),
  ROUND: same("round"),
  RSQRT: same("rsqrt"),
  SELECT: select(true),
  SELECT_V2: select(false),
  SIGN: same("sign"),
  SIN: same("sin"),
  SQRT: same("sqrt"),
  SQUARE,
  SQUARED_DIFFERENCE,
  SUB: fused("sub"),
  TANH: same("tanh"),
  WHERE: select(false),
  ZEROS_LIKE,
};
