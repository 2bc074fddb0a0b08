import { measureFlow } from "../analyzer/flow.js";
import { producersOf, weightNorms, type Producer } from "../analyzer/producers.js";
import { viewOf } from "../analyzer/view.js";
import type { Executor } from "../host/executor-types.js";
import type { Split } from "../model/dataset.js";
import { insertBatchNorm } from "../model/passes/index.js";
import type { Graph, Tensor } from "../model/types.js";

/** Epsilon of inserted batch norms; small against the variances of real layers, far above f32 rounding of them. */
const EPSILON = 1e-5;

/**
 * Filters with less than this share of the largest norm of their layer stay as they are: weight decay leaves norms of
 * 1e-30 in trained networks, and what is divided by their square is not finite in f32.
 */
const NEGLIGIBLE = 1e-6;

/**
 * Layers whose outputs get a batch norm for the time of recovery: those that have none and are not the last.
 * A layer whose output leaves the network (directly or through a softmax or reshape) computes its scores: it stays as it is.
 */
export function layersToNormalise(graph: Graph): Producer[] {
  const view = viewOf(graph);
  const leaves = (tensor: string): boolean => {
    if (view.isOutput(tensor)) return true;
    const next = view.soleConsumer(tensor);
    return next !== undefined && ["softmax", "reshape", "sigmoid"].includes(next.op) && leaves(next.outputs[0]!);
  };
  const normalised = normalisedTensors(graph);
  return producersOf(graph, view).filter(
    (p) => p.norm === null && !leaves(p.activated) && !normalised.has(p.node.inputs[0]!),
  );
}

/** Tensors that come from a normalisation of samples, past all but sums: layers behind them need no other. */
function normalisedTensors({ nodes }: Graph): Set<string> {
  const found = new Set<string>();
  for (const { op, inputs, outputs } of nodes) {
    const makes = op === "layer_norm" || op === "group_norm";
    if (makes || (op !== "add" && inputs.some((name) => found.has(name)))) for (const name of outputs) found.add(name);
  }
  return found;
}

/**
 * A network that trains well and computes the same function.
 *
 * 1. Layers without batch norm (networks arrive with it folded) get one, with the statistics of the calibration data
 *    as mean and variance and the scale and shift that undo them: the function is unchanged up to f32 rounding.
 * 2. Weights in front of a batch norm have an arbitrary scale; each filter is scaled to norm 1 and the batch norm takes
 *    the factor over. The relative size of an update, lr / ‖W‖², is then the same in every layer of every network,
 *    whatever the range of the input (bytes, unit interval, standardised), and one default learning rate fits.
 */
export async function prepareForRecovery(
  graph: Graph,
  executor: Executor,
  calibration: Split,
  samples: number,
): Promise<Graph> {
  const targets = layersToNormalise(graph);
  let prepared = graph;
  if (targets.length > 0) {
    const flow = await measureFlow(graph, executor, calibration, { tensors: targets.map((p) => p.raw), samples });
    const stats = targets.map((p) => {
      const { mean, meanSquare } = flow.tensors.get(p.raw)!;
      const variance = Float32Array.from(meanSquare, (q, c) => Math.max(0, q - mean[c]! ** 2));
      return [p.raw, { mean: Float32Array.from(mean), variance }] as const;
    });
    prepared = insertBatchNorm(graph, new Map(stats), { epsilon: EPSILON });
  }
  return unitFilters(prepared);
}

/** Scales every filter in front of a batch norm to norm 1; see `prepareForRecovery`. */
export function unitFilters(graph: Graph): Graph {
  const tensors = new Map<string, Tensor>(graph.tensors);
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const t of node.inputs) uses.set(t, (uses.get(t) ?? 0) + 1);
  const set = (name: string, f: (v: number, i: number) => number): void => {
    const t = tensors.get(name)!;
    tensors.set(name, { ...t, data: (t.data as Float32Array).map(f) });
  };
  for (const p of producersOf(graph)) {
    if (!p.norm) continue;
    const [, gamma, , mean, variance] = p.norm.inputs as [string, string, string, string, string];
    const owned = [p.weight, ...(p.bias ? [p.bias] : []), gamma, mean, variance];
    if (owned.some((t) => uses.get(t) !== 1)) continue; // shared with another layer: both would need the same factor
    const norms = weightNorms(graph, p, false);
    const least = NEGLIGIBLE * Math.max(...norms);
    const n = norms.map((v) => (v > least ? v : 1));
    const epsilon = p.norm.attrs.epsilon as number;
    const before = graph.tensors.get(variance)!.data as Float32Array;
    set(p.weight, (w, i) => w / n[i % p.channels]!);
    if (p.bias) set(p.bias, (b, c) => b / n[c]!);
    set(mean, (m, c) => m / n[c]!);
    set(variance, (v, c) => v / n[c]! ** 2);
    const scaled = tensors.get(variance)!.data as Float32Array;
    set(gamma, (g, c) => g * n[c]! * Math.sqrt((scaled[c]! + epsilon) / (before[c]! + epsilon)));
  }
  return { ...graph, tensors };
}
