/** Cases of the element-wise operators. */
import type { Attrs, Dtype, TensorType } from "../../../src/model/types.js";
import type { Draw, OpCase } from "../op-cases.js";

const x = (...shape: number[]): TensorType => ({ dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
const w = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: null });
const as = (dtype: Dtype, type: TensorType): TensorType => ({ ...type, dtype });

const make = (op: string, title: string, inputs: TensorType[], attrs: Attrs = {}, draw?: Draw[]): OpCase => ({
  op,
  title,
  attrs,
  inputs,
  ...(draw && { draw }),
});

/** Distinct values away from kinks; and rows whose channels fill no vector. */
const unary = (op: string, draw: Draw, attrs: Attrs = {}): OpCase[] => [
  make(op, "vectors", [x(23)], attrs, [draw]),
  make(op, "images", [x(2, 3, 5)], attrs, [draw]),
];

/** No gradient: y does not change with x, or is no real number. */
const fixed = (cases: readonly OpCase[]): OpCase[] =>
  cases.map((c) => ({ ...c, noGradient: c.inputs.map((_, i) => i) }));

const functions: OpCase[] = [
  ...["tanh", "exp", "erf", "sin", "cos", "softplus", "silu"].flatMap((op) => unary(op, "normal")),
  ...["abs", "neg", "softsign", "hard_swish"].flatMap((op) => unary(op, "spread")),
  ...["log", "sqrt", "rsqrt", "reciprocal"].flatMap((op) => unary(op, "positive")),
  ...fixed(["sign", "floor", "ceil", "round"].flatMap((op) => unary(op, "spread"))),
  ...fixed(["abs", "neg", "sign"].map((op) => make(op, "integers", [as("i32", x(3, 5))]))),
  ...unary("elu", "spread", { alpha: 0.7 }),
  ...unary("selu", "spread", { alpha: 1.6732632423543772, gamma: 1.0507009873554805 }),
  ...unary("leaky_relu", "spread", { alpha: 0.2 }),
  ...unary("hard_sigmoid", "normal", { alpha: 0.2, beta: 0.5 }),
  ...unary("gelu", "normal", { approximate: "none" }),
  ...unary("gelu", "normal", { approximate: "tanh" }).map((c) => ({ ...c, title: `${c.title}, tanh` })),
  make("clip", "both sides", [x(4, 5)], { min: -1, max: 1.25 }, ["spread"]),
  make("clip", "from below", [x(4, 5)], { min: -0.5, max: null }, ["spread"]),
  make("clip", "from above", [x(4, 5)], { min: null, max: 2 }, ["spread"]),
  ...fixed([make("clip", "integers", [as("i32", x(4, 5))], { min: -2, max: 1 })]),
  make("prelu", "a slope for each channel", [x(2, 3, 5), w(5)], {}, ["spread", "normal"]),
  make("prelu", "one slope", [x(3, 4), w(1)], {}, ["spread", "normal"]),
];

/** Shapes of a and b: repeated on either side, on any axis, by rank. */
const SHAPES: readonly [string, TensorType, TensorType][] = [
  ["same shape", x(3, 5), x(3, 5)],
  ["channels", x(2, 3, 5), w(5)],
  ["channels, exchanged", w(5), x(2, 3, 5)],
  ["scalar", w(), x(7)],
  ["outer", x(3, 1), w(1, 1, 5)],
  ["both sides, five axes", x(2, 1, 3, 1), w(2, 2, 1, 5)],
  ["repeated over the batch", w(1, 4), x(4)],
];

const binary = (op: string, draw: readonly [Draw, Draw] = ["normal", "normal"]): OpCase[] => [
  ...SHAPES.map(([title, a, b]) => make(op, title, [a, b], {}, [...draw])),
  ...fixed(SHAPES.map(([title, a, b]) => make(op, `${title}, integers`, [as("i32", a), as("i32", b)]))),
];

const arithmetic: OpCase[] = [
  ...["sub", "min", "max"].flatMap((op) => binary(op)),
  ...["add", "mul"].flatMap((op) => binary(op)),
  ...["div", "pow"].flatMap((op) => binary(op, ["positive", "positive"])),
  ...fixed(binary("floor_div", ["spread", "positive"])),
  ...["floor_mod", "mod_trunc"].flatMap((op) => binary(op, ["normal", "positive"])),
];

const relations: OpCase[] = fixed(
  ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"].flatMap((op) => [
    make(op, "reals", [x(3, 5), w(5)], {}, ["relu", "relu"]),
    make(op, "integers", [as("i32", w(3, 1)), as("i32", x(1, 5))]),
    make(op, "bytes", [as("u8", x(9)), as("u8", x(9))]),
  ]),
);

const logic: OpCase[] = fixed([
  ...["logical_and", "logical_or", "logical_xor"].flatMap((op) => [
    make(op, "same shape", [as("bool", x(3, 5)), as("bool", x(3, 5))]),
    make(op, "repeated", [as("bool", w(3, 1)), as("bool", x(1, 5))]),
  ]),
  make("equal", "truth values", [as("bool", x(9)), as("bool", x(9))]),
  make("logical_not", "any", [as("bool", x(3, 5))]),
]);

const selections: OpCase[] = [
  { ...make("select", "same shape", [as("bool", x(3, 5)), x(3, 5), x(3, 5)]), noGradient: [0] },
  { ...make("select", "everything repeated", [as("bool", x(3, 1)), w(5), w(3, 1)]), noGradient: [0] },
  { ...make("select", "a scalar", [as("bool", x(2, 3, 5)), x(2, 3, 5), w()]), noGradient: [0] },
  ...fixed([make("select", "integers", [as("bool", w(3)), as("i32", x(4, 3)), as("i32", w(1))])]),
];

const TYPES: readonly Dtype[] = ["f32", "i32", "i8", "u8", "bool", "i64"];

const casts: OpCase[] = TYPES.flatMap((from) =>
  TYPES.map((to) => {
    const c = make("cast", `${from} to ${to}`, [as(from, x(3, 7))], { to }, ["spread"]);
    return from === "f32" && to === "f32" ? c : { ...c, noGradient: [0] };
  }),
);

const one = { scale: [0.037], zeroPoint: [-5], axis: null };
const channels = { scale: [0.5, 0.01, 0.25], zeroPoint: [0, 3, -2], axis: 2 };
const quantisations: OpCase[] = fixed([
  make("quantize", "one scale", [x(3, 7)], { dtype: "i8", ...one }),
  make("quantize", "halves to even", [x(3, 7)], {
    dtype: "i8",
    scale: [0.5],
    zeroPoint: [1],
    axis: null,
    rounding: "even",
  }),
  make("quantize", "a scale for each channel", [x(4, 3)], { dtype: "i8", ...channels }),
  make("quantize", "a scale for each row", [x(3, 5)], {
    dtype: "u8",
    scale: [0.5, 0.01, 0.25],
    zeroPoint: [128],
    axis: 1,
  }),
  make("quantize", "32 bits", [x(9)], { dtype: "i32", scale: [1e-7], zeroPoint: [0], axis: null }),
  make("dequantize", "one scale", [as("i8", x(3, 7))], one),
  make("dequantize", "a scale for each channel", [as("u8", x(4, 3))], channels),
  make("dequantize", "32 bits", [as("i32", x(9))], { scale: [1e-3], zeroPoint: [0], axis: null }),
  make("fake_quantize", "one scale", [x(2, 3, 5)], { dtype: "i8", ...one }),
  make("fake_quantize", "a scale for each channel", [x(4, 3)], { dtype: "i8", ...channels }),
  make("fake_quantize", "codes", [x(2, 5)], {
    dtype: "i8",
    scale: [0.5],
    zeroPoint: [3],
    axis: null,
    rounding: "code",
  }),
  make("requantize", "a multiplier for each channel", [as("i32", x(4, 3))], {
    multiplier: [1431655765, 1789569707, 1073741824],
    shift: [3, -1, 0],
    low: -100,
    high: 120,
    to: "f32",
  }),
  make("requantize", "rounded once", [as("i32", x(3, 7))], {
    multiplier: [1431655765],
    shift: [-19],
    headroom: 20,
    rounding: "once",
    low: -(2 ** 31),
    high: 2 ** 31 - 1,
    to: "i32",
  }),
]);

/** By kind: each group is one module for tests of packages. */
export const elementwiseGroups: Readonly<Record<string, readonly OpCase[]>> = {
  functions,
  arithmetic,
  "relations, logic, select": [...relations, ...logic, ...selections],
  "casts and quantisation": [...casts, ...quantisations],
};

export const elementwiseCases: readonly OpCase[] = Object.values(elementwiseGroups).flat();
