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
}

const ACTIVATIONS = new Set(["relu", "relu6", "sigmoid"]);
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
    const { shape } = view.tensor(raw).type;
    const channels = shape.at(-1)!;
    producers.push({
      node,
      raw,
      folded,
      activated: activation ? activation.outputs[0]! : folded,
      norm,
      activation,
      weight,
      bias: bias !== undefined && view.isConstant(bias) ? bias : null,
      channels,
      positions: sizeOf(shape) / channels,
    });
  }
  return producers;
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
