/** Boxes of words that change place: what moving operators are made of. */
import type { Shape } from "../model/types.js";
import type { CallContext, Operand } from "./define-calls.js";
import { copyStrided, type Strided } from "./strided.js";
import { isInteger } from "../model/words.js";

/** to[index] = from[index] over `shape`. */
export function copyBox(call: CallContext["call"], from: Strided, to: Strided, shape: Shape): void {
  copyStrided((kernel, ...args) => call("copy", kernel, ...args), from, to, shape);
}

/** All of y one value. */
export function fillAll({ table, call }: CallContext, y: Operand, value: number): void {
  const word = table(isInteger(y.dtype) ? Int32Array.of(value) : Float32Array.of(value));
  copyBox(call, { address: word, strides: y.shape.map(() => 0) }, y, y.shape);
}

/** The places of an operand along all axes but one. */
export function outside({ address, strides }: Operand, axis: number): Strided {
  return { address, strides: without(strides, axis) };
}

export function without(list: readonly number[], axis: number): number[] {
  return list.filter((_, k) => k !== axis);
}
