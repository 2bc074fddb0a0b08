import type { Graph, Node } from "../types.js";
import { rewrite, type NewConstant, type Replacement, type View } from "./rewrite.js";

const WEIGHTED = ["conv2d", "depthwise_conv2d", "dense"];
const LAYERS = [...WEIGHTED, "batch_norm"];

/**
 * Constants for each channel behind a convolution or a dense layer become part of it: a sum its bias, a product a
 * batch_norm, which emission folds into the weights and whose channels the pruner can cut; sums behind that its beta.
 */
export function absorbChannelConstants(graph: Graph): Graph {
  return rewrite(graph, new Set(["add", "mul"]), (node, view) => {
    const [a, b] = node.inputs as [string, string];
    const [y, constant] = view.constant(a) ? [b, a] : [a, b];
    if (view.type(y).shape.length === 0) return null;
    const apart = view.maker(y, "reshape");
    if (apart && view.usedOnce(y)) return beforeReshape(node, apart, constant, view);
    const values = perChannel(constant, view.type(y).shape.at(-1)!, view);
    const before = values && view.usedOnce(y) ? view.maker(y, ...LAYERS) : null;
    if (!before) return null;
    if (before.op === "batch_norm") return intoNorm(node, before, values!, view);
    return node.op === "add" ? intoBias(before, values!, view) : asNorm(y, values!);
  });
}

/**
 * A reshape that keeps the last axis (that of a convolution over one axis), or splits it (into heads and their features),
 * waits until the constants are in place.
 */
function beforeReshape(node: Node, reshape: Node, constant: string, view: View): Replacement | null {
  const [y] = reshape.inputs as [string];
  const channels = view.type(y).shape.at(-1);
  const layer = view.usedOnce(y) && view.maker(y, ...LAYERS);
  const values = layer && perTail(constant, view.type(reshape.outputs[0]!).shape, channels!, view);
  if (!values) return null;
  const inner = { op: node.op, inputs: [y, vector("channels", values)] };
  return { op: "reshape", inputs: [inner], attrs: reshape.attrs };
}

/** One number for each index of the last axes, which are `channels` together. */
function perTail(name: string, shape: readonly number[], channels: number, view: View): Float32Array | null {
  let count = 1;
  let first = shape.length;
  while (first > 0 && count < channels) count *= shape[--first]!;
  if (count !== channels) return null;
  const tail = shape.slice(first);
  if (tail.length === 1) return perChannel(name, channels, view);
  const own = [...view.type(name).shape];
  while (own.length > tail.length && own[0] === 1) own.shift();
  return `${own}` === `${tail}` ? view.floats(name) : null;
}

/** One number for each index of the last axis; null when the constant is not that. */
function perChannel(name: string, channels: number, view: View): Float32Array | null {
  const data = view.floats(name);
  if (data?.length === 1) return new Float32Array(channels).fill(data[0]!);
  return data?.length === channels && view.type(name).shape.at(-1) === channels ? data : null;
}

function vector(name: string, data: Float32Array): NewConstant {
  return { name, shape: [data.length], data };
}

function intoBias(before: Node, values: Float32Array, view: View): Replacement | null {
  const [x, w, bias] = before.inputs as [string, string, string?];
  const old = bias === undefined ? null : view.floats(bias);
  if (!view.floats(w) || (bias !== undefined && !old)) return null;
  const sum = old ? values.map((v, i) => v + old[i]!) : values;
  return { op: before.op, inputs: [x, w, vector("bias", sum)], attrs: before.attrs };
}

function asNorm(y: string, values: Float32Array): Replacement {
  const zeros = new Float32Array(values.length);
  const ones = new Float32Array(values.length).fill(1);
  return {
    op: "batch_norm",
    inputs: [y, vector("gamma", values), vector("beta", zeros), vector("mean", zeros), vector("variance", ones)],
    attrs: { epsilon: 0 },
  };
}

/** Only where the batch_norm will fold: another one is a product and a sum again at emission. */
function intoNorm(node: Node, norm: Node, values: Float32Array, view: View): Replacement | null {
  const [y, gamma, beta, mean, variance] = norm.inputs as [string, string, string, string, string];
  const g = view.floats(gamma);
  const b = view.floats(beta);
  if (!g || !b || !view.maker(y, ...WEIGHTED)) return null;
  const moved =
    node.op === "add"
      ? [
          gamma,
          vector(
            "beta",
            b.map((v, i) => v + values[i]!),
          ),
        ]
      : [
          vector(
            "gamma",
            g.map((v, i) => v * values[i]!),
          ),
          vector(
            "beta",
            b.map((v, i) => v * values[i]!),
          ),
        ];
  return { op: "batch_norm", inputs: [y, ...moved, mean, variance], attrs: norm.attrs };
}
