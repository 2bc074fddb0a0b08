import type { VjpContext } from "../../define-op.js";

/** Operands of a formula: names of tensors, or numbers that become scalar constants. */
export type Term = string | number;

/** Writes gradients as formulas: `f.mul(dy, f.sub(1, y))` adds two nodes and a constant. */
export function formula<A>(g: VjpContext<A>) {
  const name = (t: Term): string => (typeof t === "string" ? t : g.constant([], Float32Array.of(t)));
  const node =
    (op: string) =>
    (...terms: Term[]): string =>
      g.emit(op, terms.map(name))[0]!;
  return {
    x: g.inputs[0]!,
    y: g.outputs[0]!,
    add: node("add"),
    sub: node("sub"),
    mul: node("mul"),
    div: node("div"),
    neg: node("neg"),
    abs: node("abs"),
    sign: node("sign"),
    exp: node("exp"),
    log: node("log"),
    erf: node("erf"),
    sin: node("sin"),
    cos: node("cos"),
    tanh: node("tanh"),
    sigmoid: node("sigmoid"),
    pow: node("pow"),
    equal: node("equal"),
    greater: node("greater"),
    less: node("less"),
    and: node("logical_and"),
    select: node("select"),
  };
}
