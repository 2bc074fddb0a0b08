import type { Flow } from "../analyzer/flow.js";
import { producersOf } from "../analyzer/producers.js";
import { constantTensor, uniqueName } from "../model/graph.js";
import type { GroupCut } from "../model/cut.js";
import type { Graph, Node, Tensor } from "../model/types.js";

/**
 * For each tap of a window, the share of output positions where the tap lies inside the input (1 without padding).
 * Only one axis; the share of a 2-D tap is the product.
 */
function insideShare(
  taps: number,
  extent: number,
  outputs: number,
  stride: number,
  dilation: number,
  pad: number,
): number[] {
  return Array.from({ length: taps }, (_, k) => {
    let inside = 0;
    for (let o = 0; o < outputs; o++) {
      const i = o * stride + k * dilation - pad;
      if (i >= 0 && i < extent) inside++;
    }
    return inside / outputs;
  });
}

/** What the consumer's outputs lose on average when its input channels `lost` (channel → mean) go. */
function lostOutput(graph: Graph, node: Node, lost: ReadonlyMap<number, number>): Float64Array {
  const w = graph.tensors.get(node.inputs[1]!)!;
  const data = w.data as Float32Array;
  const shape = w.type.shape;
  const co = shape.at(-1)!;
  const ci = shape.at(-2)!;
  const delta = new Float64Array(co);
  let rows = [1];
  let columns = [1];
  if (node.op === "conv2d") {
    const x = graph.tensors.get(node.inputs[0]!)!.type.shape;
    const y = graph.tensors.get(node.outputs[0]!)!.type.shape;
    const { strides, dilations, pads } = node.attrs as Record<string, number[]>;
    rows = insideShare(shape[0]!, x[1]!, y[1]!, strides![0]!, dilations![0]!, pads![0]!);
    columns = insideShare(shape[1]!, x[2]!, y[2]!, strides![1]!, dilations![1]!, pads![1]!);
  }
  rows.forEach((r, i) => {
    columns.forEach((c, j) => {
      for (const [channel, mean] of lost) {
        const at = ((i * columns.length + j) * ci + channel) * co;
        for (let o = 0; o < co; o++) delta[o]! += r * c * mean * data[at + o]!;
      }
    });
  });
  return delta;
}

/** Tensors whose statistics `compensate` needs: the inputs of every layer that mixes channels. */
export function compensatedTensors(graph: Graph): string[] {
  const names = producersOf(graph)
    .filter(
      ({ node }) => node.op === "dense" || node.op === "matmul" || (node.op === "conv2d" && node.attrs.groups === 1),
    )
    .map(({ node }) => node.inputs[0]!)
    .filter((t) => graph.tensors.get(t)!.data === undefined);
  return [...new Set(names)];
}

/**
 * Adds the mean contribution of channels that are about to be cut to the biases of the layers that read them
 * (to the batch norm's mean where a layer has no bias but a batch norm), so that the cut network keeps the mean of
 * every output. Exact for a channel that is constant and read without zero padding; for a dead channel nothing changes.
 */
export function compensate(graph: Graph, cuts: readonly GroupCut[], flow: Flow): Graph {
  const lost = new Map<string, Map<number, number>>();
  for (const { group, atoms } of cuts)
    for (const id of atoms)
      for (const { tensor, axis, indices } of group.atoms[id]!.members) {
        const stats = flow.tensors.get(tensor);
        if (!stats || axis !== graph.tensors.get(tensor)!.type.shape.length - 1) continue;
        let channels = lost.get(tensor);
        if (!channels) lost.set(tensor, (channels = new Map()));
        for (const i of indices) if (stats.mean[i] !== 0) channels.set(i, stats.mean[i]!);
      }

  const tensors = new Map<string, Tensor>(graph.tensors);
  const replaced = new Map<string, Node>();
  const needed = new Set(compensatedTensors(graph));
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const t of node.inputs) uses.set(t, (uses.get(t) ?? 0) + 1);
  /** Adds to a constant in place: its name stays, since the atoms of `cuts` name it. A shared one is left alone. */
  const add = (name: string, delta: Float64Array, sign: number): void => {
    const t = tensors.get(name)!;
    if (uses.get(name) === 1)
      tensors.set(name, { ...t, data: (t.data as Float32Array).map((v, o) => v + sign * delta[o]!) });
  };
  for (const p of producersOf(graph)) {
    const channels = lost.get(p.node.inputs[0]!);
    if (!channels || channels.size === 0 || !needed.has(p.node.inputs[0]!)) continue;
    if (p.node.op === "depthwise_conv2d" || (p.node.op === "conv2d" && p.node.attrs.groups !== 1)) continue;
    const delta = lostOutput(graph, p.node, channels);
    if (p.bias) add(p.bias, delta, 1);
    else if (p.norm) add(p.norm.inputs[3]!, delta, -1);
    else if (p.node.op !== "matmul" && !cutAtOutput(cuts, p.raw)) {
      // A new bias belongs to no atom: only where no output channel goes.
      const name = uniqueName(tensors, `${p.node.name}/bias`);
      tensors.set(name, constantTensor(name, [p.channels], Float32Array.from(delta)));
      replaced.set(p.node.name, { ...p.node, inputs: [...p.node.inputs, name] });
    }
  }
  return { ...graph, tensors, nodes: graph.nodes.map((n) => replaced.get(n.name) ?? n) };
}

function cutAtOutput(cuts: readonly GroupCut[], tensor: string): boolean {
  return cuts.some(({ group, atoms }) => atoms.some((id) => group.atoms[id]!.members.some((m) => m.tensor === tensor)));
}
