import { sizeOf, type Graph, type Node } from "../model/types.js";
import { viewOf, type GraphView } from "./view.js";

/**
 * A layer with output channels, together with the normalisation and the activation that belong to it.
 * Its channels are the last axis of `raw`, `folded` and `activated`.
 */
export interface Producer {
  readonly node: Node;
  /** Output of the layer itself, before any normalisation. */
  readonly raw: string;
  /** Output after the batch norm that follows, or `raw`. */
  readonly folded: string;
  /** Output after the activation that follows `folded`, or `folded` (a layer that feeds an addition directly). */
  readonly activated: string;
  readonly norm: Node | null;
  readonly activation: Node | null;
  /** The weight constant and, where there is one, the bias constant. */
  readonly weight: string;
  readonly bias: string | null;
  readonly channels: number;
  /** Spatial positions or tokens of one sample; 1 for a fully connected layer on vectors. */
  readonly positions: number;
  /** Where the layer makes queries, keys or values: the heads that its channels belong to. */
  readonly heads: Heads | null;
}

/** The heads of an attention, as a layer sees them that projects into it. */
export interface Heads {
  /** Result of the attention: what a head gives to the network. */
  readonly output: string;
  /** Heads that live and die as one: those of keys and values. */
  readonly count: number;
  /** For each channel of the layer its head, plus `count` for each part of a packed projection that lies before it. */
  readonly of: Int32Array;
}

const ACTIVATIONS = new Set([
  ...["relu", "relu6", "sigmoid", "tanh", "gelu", "silu", "hard_swish", "hard_sigmoid"],
  ...["elu", "selu", "leaky_relu", "softplus", "softsign"],
]);
const LAYERS = new Set(["conv2d", "depthwise_conv2d", "dense", "matmul"]);

/** Every layer of the graph that has constant weights and output channels, in graph order. */
export function producersOf(graph: Graph, view: GraphView = viewOf(graph)): Producer[] {
  const producers: Producer[] = [];
  for (const node of graph.nodes) {
    const [, weight, bias] = node.inputs;
    if (!LAYERS.has(node.op) || weight === undefined || !view.isConstant(weight)) continue;
    if (node.op === "matmul" && (node.attrs.transposeA === true || node.attrs.transposeB === true)) continue;
    const raw = node.outputs[0]!;
    const next = view.soleConsumer(raw);
    const norm =
      next?.op === "batch_norm" && next.inputs[0] === raw && next.inputs.slice(1).every(view.isConstant) ? next : null;
    const folded = norm ? norm.outputs[0]! : raw;
    const after = view.soleConsumer(folded);
    const activation = after && ACTIVATIONS.has(after.op) ? after : null;
    const heads = headsOf(view, folded);
    const { shape } = view.tensor(raw).type;
    const channels = shape.at(-1)!;
    producers.push({
      node,
      raw,
      folded,
      activated: heads?.output ?? (activation ? activation.outputs[0]! : folded),
      norm,
      activation,
      weight,
      bias: bias !== undefined && view.isConstant(bias) ? bias : null,
      channels,
      positions: sizeOf(shape) / channels,
      heads,
    });
  }
  return producers;
}

/** The heads that a tensor goes into: all of it, whole or cut into parts, as operands of one attention. */
function headsOf(view: GraphView, tensor: string): Heads | null {
  const channels = view.tensor(tensor).type.shape.at(-1)!;
  const of = new Int32Array(channels).fill(-1);
  const parts: number[] = [];
  const found: { attention: Node | null } = { attention: null };
  /** Notes the heads of the channels of `name`, which begin at `first`; false where they go elsewhere. */
  const follow = (name: string, first: number): boolean => {
    if (view.isOutput(name)) return false;
    return view.consumers(name).every((node) => {
      const { shape } = view.tensor(name).type;
      const [y] = node.outputs as [string];
      const kept = view.tensor(y).type.shape;
      if (node.op === "slice" && shape.slice(0, -1).every((d, i) => d === kept[i])) {
        return follow(y, first + (node.attrs.begin as number[])[shape.length - 1]!);
      }
      if (node.op === "transpose" && (node.attrs.perm as number[]).at(-1) === shape.length - 1) return follow(y, first);
      if (node.op === "reshape" && kept.at(-1) === shape.at(-1)) return follow(y, first);
      if (node.op !== "attention" || (found.attention && found.attention !== node) || node.inputs[3] === name)
        return false;
      found.attention = node;
      const width = shape.at(-1)!;
      const count = node.attrs.kvHeads as number;
      const part = parts.indexOf(first) < 0 ? parts.push(first) - 1 : parts.indexOf(first);
      for (let c = 0; c < width; c++) of[first + c] = part * count + Math.floor((c * count) / width);
      return true;
    });
  };
  if (!follow(tensor, 0) || of.includes(-1)) return null;
  const node = found.attention;
  return node && { output: node.outputs[0]!, count: node.attrs.kvHeads as number, of };
}

/** Calls `visit(channel, weight)` for every weight of a layer, with the output channel it belongs to. */
export function forEachWeight(graph: Graph, p: Producer, visit: (channel: number, weight: number) => void): void {
  const w = graph.tensors.get(p.weight)!;
  const data = w.data as Float32Array;
  // Output channels are the last axis of HWIO and [in, out]; a depthwise [kh, kw, c, m] has channel c*m + j last too.
  for (let i = 0; i < data.length; i++) visit(i % p.channels, data[i]!);
}

/** Factor by which the folded batch norm scales each output channel: gamma / sqrt(variance + epsilon), or 1. */
export function foldedScale(graph: Graph, p: Producer): Float64Array {
  const scale = new Float64Array(p.channels).fill(1);
  if (!p.norm) return scale;
  const values = (i: number): Float32Array => graph.tensors.get(p.norm!.inputs[i]!)!.data as Float32Array;
  const gamma = values(1);
  const variance = values(4);
  const epsilon = p.norm.attrs.epsilon as number;
  return scale.map((_, c) => gamma[c]! / Math.sqrt(variance[c]! + epsilon));
}

/** Euclidean norm of the weights of each output channel (all inputs and taps, no bias). */
export function weightNorms(graph: Graph, p: Producer, folded: boolean): Float64Array {
  const sums = new Float64Array(p.channels);
  forEachWeight(graph, p, (c, w) => {
    sums[c]! += w * w;
  });
  const scale = folded ? foldedScale(graph, p) : null;
  return sums.map((s, c) => Math.sqrt(s) * Math.abs(scale ? scale[c]! : 1));
}

/**
 * Scores of the channels of a layer of heads: each head's is shared by its channels equally, so that those of all channels
 * that go with it sum to it.
 */
export function headScores({ heads, channels }: Producer, ofHead: (head: number) => number): Float64Array {
  const { count, of } = heads!;
  const sizes = new Float64Array(count);
  for (const block of of) sizes[block % count]!++;
  return Float64Array.from({ length: channels }, (_, c) => ofHead(of[c]! % count) / sizes[of[c]! % count]!);
}

/** For each head the Frobenius norm of its weights, summed over the parts of a packed projection. */
export function headWeights(graph: Graph, p: Producer): Float64Array {
  const { count, of } = p.heads!;
  const squares = new Float64Array(Math.max(...of) + 1);
  weightNorms(graph, p, true).forEach((norm, c) => {
    squares[of[c]!]! += norm * norm;
  });
  const norms = new Float64Array(count);
  squares.forEach((s, block) => (norms[block % count]! += Math.sqrt(s)));
  return norms;
}
