/**
 * Functions called as layers: `TFOpLambda` of Keras 2 (config.function) and operations of `keras.ops` in Keras 3. Those
 * that models are written with outside layers: arithmetic, activations, reductions, reshapes.
 */
import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { axesOf, axisOf } from "../../shared/check.js";
import { activate, logSoftmax } from "../activations.js";
import { defineLayer, type LayerCall, type LayerReader } from "../layer.js";

type Operation = (call: LayerCall, config: Readonly<Record<string, unknown>>) => string;

/** Arguments that TFOpLambda gives by name: the second operand of arithmetic. */
const SECOND = ["y", "x2", "b"];

const binary =
  (op: string): Operation =>
  (call) => {
    const second = call.inputs[1] ?? SECOND.map((name) => call.named.get(name)).find((x) => x !== undefined);
    const number = SECOND.map((name) => call.values.get(name)).find((v) => typeof v === "number");
    const b = second ?? (number === undefined ? undefined : call.scalar(number));
    if (b === undefined) throw new IdapError("E_FORMAT", `${call.where} needs two operands`);
    return call.result(op, [call.floats, call.asFloats(b)]);
  };

const unary =
  (op: string): Operation =>
  (call) =>
    call.result(op, [call.floats]);

const activated =
  (name: string): Operation =>
  (call) =>
    activate(call, name, call.floats);

const square: Operation = (call) => call.result("mul", [call.floats, call.floats]);

function argument(call: LayerCall, config: Readonly<Record<string, unknown>>, ...names: string[]): unknown {
  return names.map((name) => call.values.get(name) ?? config[name]).find((v) => v !== undefined && v !== null);
}

function numbers(value: unknown): number[] | null {
  if (typeof value === "number") return [value];
  return Array.isArray(value) && value.every((v) => typeof v === "number") ? value : null;
}

const reduction =
  (op: string): Operation =>
  (call, config) => {
    const rank = call.rank();
    const given = numbers(argument(call, config, "axis"));
    const axes = given ? axesOf(given, rank, call.where) : Array.from({ length: rank }, (_, axis) => axis);
    return call.result(op, [call.floats], { axes, keepDims: argument(call, config, "keepdims") === true });
  };

const concatenation: Operation = (call, config) => {
  const axis = numbers(argument(call, config, "axis"))?.[0] ?? -1;
  return call.result("concat", call.inputs, { axis: axisOf(axis, call.rank(), call.where) });
};

const clipping: Operation = (call, config) => {
  const bound = (...names: string[]): number | null => numbers(argument(call, config, ...names))?.[0] ?? null;
  return call.result("clip", [call.floats], {
    min: bound("clip_value_min", "x_min"),
    max: bound("clip_value_max", "x_max"),
  });
};

const softmax: Operation = (call, config) => {
  const axis = axisOf(numbers(argument(call, config, "axis"))?.[0] ?? -1, call.rank(), call.where);
  return call.result("softmax", [call.floats], { axis });
};

/** By the names of TensorFlow's functions, and by those of the classes of `keras.ops`. */
const table: readonly (readonly [functions: string, classes: string, operation: Operation])[] = [
  ["math.add __operators__.add", "Add", binary("add")],
  ["math.subtract", "Subtract", binary("sub")],
  ["math.multiply", "Multiply", binary("mul")],
  ["math.truediv math.divide", "TrueDivide Divide", binary("div")],
  ["math.maximum", "Maximum", binary("max")],
  ["math.minimum", "Minimum", binary("min")],
  ["math.pow", "Power", binary("pow")],
  ["math.abs", "Abs Absolute", unary("abs")],
  ["math.negative", "Negative", unary("neg")],
  ["math.exp", "Exp", unary("exp")],
  ["math.log", "Log", unary("log")],
  ["math.sqrt", "Sqrt", unary("sqrt")],
  ["math.rsqrt", "Rsqrt", unary("rsqrt")],
  ["math.square", "Square", square],
  ["math.tanh nn.tanh", "Tanh", activated("tanh")],
  ["math.sigmoid nn.sigmoid", "Sigmoid", activated("sigmoid")],
  ["nn.relu", "Relu", activated("relu")],
  ["nn.relu6", "Relu6", activated("relu6")],
  ["nn.elu", "", activated("elu")],
  ["nn.selu", "Selu", activated("selu")],
  ["nn.silu nn.swish", "Silu", activated("silu")],
  ["math.softplus nn.softplus", "Softplus", activated("softplus")],
  ["nn.softmax", "Softmax", softmax],
  ["nn.log_softmax", "", (call) => logSoftmax(call, call.floats)],
  ["math.reduce_mean", "Mean", reduction("reduce_mean")],
  ["math.reduce_sum", "Sum", reduction("reduce_sum")],
  ["math.reduce_max", "Max", reduction("reduce_max")],
  ["math.reduce_min", "Min", reduction("reduce_min")],
  ["concat", "Concatenate", concatenation],
  ["clip_by_value", "Clip", clipping],
];

const record = z.record(z.string(), z.unknown());

function reader(operation: Operation): LayerReader {
  return defineLayer({ config: record, read: operation });
}

const functions: Readonly<Record<string, Operation>> = Object.fromEntries(
  table.flatMap(([names, , operation]) => names.split(" ").map((name) => [name, operation] as const)),
);

const TFOpLambda = defineLayer({
  config: z.looseObject({ function: z.string() }),
  refuse: (c) => (Object.hasOwn(functions, c.function) ? null : `the function ${c.function}`),
  read: (call, c) => functions[c.function]!(call, c),
});

/** Operations by class, as `ops.Add`: layers of the same name are other things. */
export const operations: Readonly<Record<string, LayerReader>> = {
  TFOpLambda,
  ...Object.fromEntries(
    table.flatMap(([, names, operation]) =>
      names
        .split(" ")
        .filter((name) => name !== "")
        .map((name) => [`ops.${name}`, reader(operation)] as const),
    ),
  ),
};
