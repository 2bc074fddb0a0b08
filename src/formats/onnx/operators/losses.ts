/** Losses over class scores [n, c, ...] and classes [n, ...]. */
import type { Converter, OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";

const REDUCTIONS: readonly string[] = ["none", "mean", "sum"];

function refuseReduction(op: OnnxOp): string | null {
  const reduction = op.string("reduction", "mean");
  return REDUCTIONS.includes(reduction) ? null : `reduction ${reduction}`;
}

/** -x at each target, times the weight of its class; 0 at the class that is ignored. Means are weighted. */
function negativeLogLikelihood(op: OnnxOp, logProbabilities: string): void {
  const p = new Pieces(op);
  const shape = p.shape(logProbabilities);
  const classes = shape[1]!;
  const targets = op.input(1);
  const axes = shape.map((_, i) => i).filter((i) => i !== 1);
  const column = p.reshape(targets, [shape[0]!, 1, ...shape.slice(2)]);
  const range = p.range(classes, shape.length - 2);
  let hits = p.do("equal", [column, range]);
  const ignored = op.hasAttribute("ignore_index") ? op.int("ignore_index", 0) : null;
  if (ignored !== null && ignored >= 0 && ignored < classes) {
    hits = p.do("logical_and", [hits, p.do("not_equal", [range, ignored])]);
  }
  const over = { axes: [1], keepDims: false };
  const weight = op.has(2) ? p.reshape(op.input(2), [classes, ...shape.slice(2).map(() => 1)]) : null;
  const weighted = weight === null ? logProbabilities : p.do("mul", [logProbabilities, weight]);
  // A choice, not a product: the logarithm of a probability 0 is no number that 0 takes away.
  const loss = p.do("neg", [p.do("reduce_sum", [p.do("select", [hits, weighted, 0])], over)]);
  const reduction = op.string("reduction", "mean");
  if (reduction === "none") return op.give(loss);
  const all = { axes: axes.map((_, i) => i), keepDims: false };
  if (reduction === "sum") return p.finish("reduce_sum", [loss], all);
  if (weight === null && ignored === null) return p.finish("reduce_mean", [loss], all);
  const each = p.do("reduce_sum", [p.do("select", [hits, weight ?? op.scalar("one", 1), 0])], over);
  p.finish("div", [p.do("reduce_sum", [loss], all), p.do("reduce_sum", [each], all)]);
}

export const NegativeLogLikelihoodLoss: Converter = {
  refuse: refuseReduction,
  convert: (op) => negativeLogLikelihood(op, op.input(0)),
};

/** The logarithms of the probabilities may be an output too. */
export const SoftmaxCrossEntropyLoss: Converter = {
  refuse: refuseReduction,
  convert(op) {
    const p = new Pieces(op);
    const x = op.input(0);
    const over = { axes: [1], keepDims: true };
    const shifted = p.do("sub", [x, p.do("reduce_max", [x], over)]);
    const log = p.do("log", [p.do("reduce_sum", [p.do("exp", [shifted])], over)]);
    const logProbabilities = p.do("sub", [shifted, log]);
    if (op.wants(1)) op.give(logProbabilities, { output: op.node.output[1]! });
    negativeLogLikelihood(op, logProbabilities);
  },
};
