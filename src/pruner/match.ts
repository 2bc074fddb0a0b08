import type { Flow } from "../analyzer/flow.js";
import { producersOf } from "../analyzer/producers.js";
import { viewOf } from "../analyzer/view.js";
import type { GroupCut } from "../model/cut.js";
import { GraphPatch } from "../model/patch.js";
import type { Graph } from "../model/types.js";

/** Which channels of the dense network's tensors are left in the pruned one: tensor → dense indices, ascending. */
export type KeptChannels = Readonly<Record<string, readonly number[]>>;

/** Most tensors that are matched; more cost time and say the same. */
const MOST = 8;

const ACTIVATIONS = new Set(["relu", "relu6", "sigmoid"]);

/**
 * Tensors of the dense network that a pruned one should reproduce: the results of residual additions (behind their
 * activation), or where there are none, of layers, evenly spread over the depth. Names are the same in both networks.
 */
export function matchPoints(dense: Graph): string[] {
  const view = viewOf(dense);
  const settled = (tensor: string): string => {
    const next = view.soleConsumer(tensor);
    return next && ACTIVATIONS.has(next.op) ? next.outputs[0]! : tensor;
  };
  const sums = dense.nodes.filter((n) => n.op === "add" && !n.inputs.some(view.isConstant));
  const all =
    sums.length > 0 ? sums.map((n) => settled(n.outputs[0]!)) : producersOf(dense, view).map((p) => p.activated);
  const inner = [...new Set(all)].filter((t) => !view.isOutput(t) && !leadsOut(dense, t));
  if (inner.length <= MOST) return inner;
  return Array.from({ length: MOST }, (_, i) => inner[Math.round(((i + 1) * inner.length) / MOST) - 1]!);
}

/** Whether a tensor is the network's scores: only shapes and a softmax stand between it and an output. */
function leadsOut(graph: Graph, tensor: string): boolean {
  const view = viewOf(graph);
  const next = view.soleConsumer(tensor);
  if (!next) return view.isOutput(tensor);
  return ["softmax", "reshape", "sigmoid"].includes(next.op) && leadsOut(graph, next.outputs[0]!);
}

/** Every channel of the given tensors. */
export function allChannels(graph: Graph, tensors: readonly string[]): KeptChannels {
  return Object.fromEntries(
    tensors.map((t) => [t, Array.from({ length: graph.tensors.get(t)!.type.shape.at(-1)! }, (_, c) => c)]),
  );
}

/** What is left after a cut; `graph` is the network before it. */
export function keptAfter(kept: KeptChannels, cuts: readonly GroupCut[]): KeptChannels {
  const lost = new Map<string, Set<number>>();
  for (const { group, atoms } of cuts)
    for (const id of atoms)
      for (const { tensor, indices } of group.atoms[id]!.members) {
        if (!(tensor in kept)) continue;
        const set = lost.get(tensor) ?? new Set<number>();
        for (const i of indices) set.add(i);
        lost.set(tensor, set);
      }
  return Object.fromEntries(
    Object.entries(kept).map(([tensor, channels]) => [tensor, channels.filter((_, i) => !lost.get(tensor)?.has(i))]),
  );
}

/** What a training run matches: the dense network as teacher, with the surviving channels picked out. */
export interface Matching {
  readonly teacher: Graph;
  readonly pairs: readonly (readonly [student: string, teacher: string])[];
  readonly factors: readonly number[];
}

/**
 * Pairs for every match point that the student still has. Each counts in units of the mean square of what the teacher
 * has there, so that layers of large and of small values weigh the same.
 * @param flow statistics of the dense network's match points
 */
export function matchingOf(dense: Graph, student: Graph, kept: KeptChannels, flow: Flow): Matching {
  const patch = new GraphPatch(dense);
  const pairs: [string, string][] = [];
  const factors: number[] = [];
  for (const [tensor, channels] of Object.entries(kept)) {
    const own = student.tensors.get(tensor);
    const { shape } = dense.tensors.get(tensor)!.type;
    if (!own || own.type.shape.at(-1) !== channels.length || own.type.shape.length !== shape.length) continue;
    const picked = channels.length === shape.at(-1) ? tensor : pick(patch, tensor, shape, channels);
    if (picked === null) continue;
    const { meanSquare } = flow.tensors.get(tensor)!;
    const energy = channels.reduce((s, c) => s + meanSquare[c]!, 0) / channels.length;
    if (!(energy > 0)) continue;
    pairs.push([tensor, picked]);
    factors.push(1 / energy);
  }
  return { teacher: patch.apply(), pairs, factors };
}

/** The given channels of an image or of vectors: a layer whose weights are ones and zeros, so the values are exact. */
function pick(patch: GraphPatch, tensor: string, shape: readonly number[], channels: readonly number[]): string | null {
  const from = shape.at(-1)!;
  const n = channels.length;
  const weights = new Float32Array(from * n);
  channels.forEach((c, i) => (weights[c * n + i] = 1));
  const name = `${tensor}/kept`;
  if (shape.length === 4) {
    const w = patch.constant(`${name}/w`, [1, 1, from, n], weights);
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
    return patch.node("conv2d", [tensor, w], attrs, name)[0]!;
  }
  if (shape.length !== 2) return null;
  return patch.node("dense", [tensor, patch.constant(`${name}/w`, [from, n], weights)], {}, name)[0]!;
}
