import { z } from "zod";
import type { Attrs } from "../../model/types.js";
import type { LayerCall } from "./layer.js";

/** An activation function by its name, or the object that Keras 3 writes for some. */
export type Activation = string;

/** Names in configurations: a string, {class_name: "function", config: name}, or a class of `keras.activations`. */
export const activation = z
  .union([
    z.string(),
    z
      .object({ class_name: z.string(), config: z.unknown() })
      .transform(({ class_name, config }) => (typeof config === "string" ? config : class_name)),
  ])
  .nullish()
  .transform((name): Activation => (name == null ? "linear" : snake(name)));

/** "ReLU6" and "HardSigmoid" are written as classes by some; the names of functions have no capitals. */
function snake(name: string): string {
  const last = name.slice(name.lastIndexOf(">") + 1);
  return /[A-Z]/.test(last) ? last.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase() : last;
}

/** Scaled exponential linear units have these two constants in every framework. */
export const SELU = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

/** hard_sigmoid: Keras 3 has relu6(x + 3) / 6, Keras 2 and TF.js 0.2 x + 0.5 between 0 and 1. */
export function hardSigmoid({ dialect }: Pick<LayerCall, "dialect">): { alpha: number; beta: number } {
  return dialect === "keras3" ? { alpha: 1 / 6, beta: 0.5 } : { alpha: 0.2, beta: 0.5 };
}

/** Activations that are one operator. */
const OPERATORS: Readonly<Record<string, (call: LayerCall, x: string) => readonly [op: string, attrs: Attrs]>> = {
  relu: () => ["relu", {}],
  relu6: () => ["relu6", {}],
  sigmoid: () => ["sigmoid", {}],
  tanh: () => ["tanh", {}],
  softplus: () => ["softplus", {}],
  softsign: () => ["softsign", {}],
  exponential: () => ["exp", {}],
  elu: () => ["elu", { alpha: 1 }],
  selu: () => ["selu", SELU],
  swish: () => ["silu", {}],
  silu: () => ["silu", {}],
  hard_silu: () => ["hard_swish", {}],
  hard_swish: () => ["hard_swish", {}],
  hard_sigmoid: (call) => ["hard_sigmoid", hardSigmoid(call)],
  gelu: () => ["gelu", { approximate: "none" }],
  gelu_new: () => ["gelu", { approximate: "tanh" }],
  leaky_relu: () => ["leaky_relu", { alpha: 0.2 }],
  softmax: (call, x) => ["softmax", { axis: call.rank(x) - 1 }],
};

/** Activations that are several. */
const COMPOSED: Readonly<Record<string, (call: LayerCall, x: string) => string>> = {
  log_softmax: logSoftmax,
  log_sigmoid: (call, x) => call.result("neg", [call.emit("softplus", [call.emit("neg", [x])])]),
  mish: (call, x) => call.result("mul", [x, call.emit("tanh", [call.emit("softplus", [x])])]),
};

/** x - max - log(sum(exp(x - max))) over the last axis, so that nothing overflows. */
export function logSoftmax(call: LayerCall, x: string, axis = call.rank(x) - 1): string {
  const over = { axes: [axis], keepDims: true };
  const shifted = call.emit("sub", [x, call.emit("reduce_max", [x], over)]);
  const total = call.emit("reduce_sum", [call.emit("exp", [shifted])], over);
  return call.result("sub", [shifted, call.emit("log", [total])]);
}

export function refuseActivation(name: Activation): string | null {
  const known = name === "linear" || Object.hasOwn(OPERATORS, name) || Object.hasOwn(COMPOSED, name);
  return known ? null : `the activation ${name}`;
}

/** The activation of `x` as the layer's result; `x` itself for "linear". */
export function activate(call: LayerCall, name: Activation, x: string): string {
  const composed = COMPOSED[name];
  if (composed) return composed(call, x);
  const operator = OPERATORS[name];
  return operator ? call.result(operator(call, x)[0], [x], operator(call, x)[1]) : x;
}
