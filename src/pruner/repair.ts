import { inputOf } from "../analyzer/flow.js";
import { producersOf, type Producer } from "../analyzer/producers.js";
import { viewOf } from "../analyzer/view.js";
import { depthOf, isMixing, windowsOf } from "../analyzer/windows.js";
import type { GroupCut } from "../model/cut.js";
import type { Split } from "../model/dataset.js";
import { withConstants } from "../model/graph.js";
import { Random } from "../model/random.js";
import type { Graph, TensorData } from "../model/types.js";
import type { Engine } from "./engine.js";
import { NormalEquations } from "./least-squares.js";
import type { KeptChannels } from "./match.js";

/** Layers with more products for one output than this are left to the training: the cost grows with the square. */
const MAX_DEPTH = 1300;

/**
 * Regression rows for each unknown of one output channel, and the samples that they are drawn from. With half as many
 * rows a ResNet-8 without a fifth of its work was half a point worse.
 */
const ROWS_PER_UNKNOWN = 30;
const SAMPLES = 320;

/** Share of the mean diagonal that is added: what the rows do not determine stays as it is. */
const RIDGE = 1e-3;

/** The network that nothing was cut from, and which of its channels the tensors of the cut one still have. */
export interface Reference {
  readonly graph: Graph;
  readonly kept: KeptChannels;
}

/**
 * Repairs a network after a cut without gradients and without labels: layer by layer, in order, the weights that make
 * the layer's outputs on the cut network's own inputs come closest to the outputs that the uncut network has on the same
 * samples (He et al. 2017, "Channel pruning for accelerating very deep neural networks", with a ridge towards the
 * weights as they are). `changed` names tensors that stand in for removed ones. What earlier layers could not make up for, later ones try to.
 */
export async function repairLayers(
  before: Graph,
  after: Graph,
  cuts: readonly GroupCut[],
  engine: Engine,
  data: Split,
  options: { seed: number; samples?: number; changed?: readonly string[]; reference?: Reference },
): Promise<Graph> {
  const { reference } = options;
  const samples = Math.min(options.samples ?? SAMPLES, data.count);
  const lost = lostIndices(cuts);
  const uses = new Map<string, number>();
  for (const node of after.nodes) for (const t of node.inputs) uses.set(t, (uses.get(t) ?? 0) + 1);
  const affected = affectedTensors(after, lost, new Set(options.changed));
  const layers = producersOf(after).filter(
    (p) => affected.has(p.node.inputs[0]!) && depthOf(after, p) <= MAX_DEPTH && isMixing(p) && uses.get(p.weight) === 1,
  );
  if (layers.length === 0) return after;

  const record = inputOf(before, data, 0, samples);
  const original = engine.open(reference?.graph ?? before);
  const targets = await original
    .observe(
      record,
      layers.map((p) => p.raw),
    )
    .finally(() => original.close());
  let graph = after;
  for (const p of layers) {
    const executor = engine.open(graph);
    const x = await executor.observe(record, [p.node.inputs[0]!]).finally(() => executor.close());
    const kept = reference?.kept[p.raw] ?? keptChannels(targets.get(p.raw)!.shape.at(-1)!, lost.get(p.raw));
    graph = repairLayer(graph, p, x.get(p.node.inputs[0]!)!, targets.get(p.raw)!, kept, options.seed);
  }
  return graph;
}

/** Removed indices of the last axis of each activation. */
function lostIndices(cuts: readonly GroupCut[]): Map<string, Set<number>> {
  const lost = new Map<string, Set<number>>();
  for (const { group, atoms } of cuts)
    for (const id of atoms)
      for (const { tensor, indices } of group.atoms[id]!.members) {
        const set = lost.get(tensor) ?? new Set();
        for (const i of indices) set.add(i);
        lost.set(tensor, set);
      }
  return lost;
}

/**
 * Tensors whose remaining values a cut changes: everything behind the first layer that reads fewer channels, and behind
 * the tensors in `changed`, which stand in for others.
 */
function affectedTensors(graph: Graph, lost: ReadonlyMap<string, unknown>, changed: ReadonlySet<string>): Set<string> {
  const affected = new Set<string>(changed);
  const view = viewOf(graph);
  for (const node of graph.nodes) {
    const x = node.inputs.filter((t) => !view.isConstant(t));
    const mixes = ["conv2d", "dense", "matmul"].includes(node.op);
    if (x.some((t) => affected.has(t) || (mixes && lost.has(t)))) {
      for (const t of node.outputs) affected.add(t);
      for (const t of x) if (mixes && lost.has(t)) affected.add(t);
    }
  }
  return affected;
}

function keptChannels(count: number, lost: ReadonlySet<number> | undefined): number[] {
  return Array.from({ length: count }, (_, c) => c).filter((c) => !lost?.has(c));
}

interface Values {
  readonly data: TensorData;
  readonly shape: readonly number[];
}

/** One layer's regression: rows are output positions, chosen by seed, columns the products and a constant. */
function repairLayer(graph: Graph, p: Producer, x: Values, y: Values, kept: readonly number[], seed: number): Graph {
  const depth = depthOf(graph, p);
  const window = windowsOf(graph, p, x.shape, y.shape);
  const w = graph.tensors.get(p.weight)!.data as Float32Array;
  const bias = p.bias ? (graph.tensors.get(p.bias)!.data as Float32Array) : null;
  const movable = bias !== null || p.norm !== null;
  const columns = depth + (movable ? 1 : 0);
  const equations = new NormalEquations(columns, p.channels);
  const positions = window.positions;
  const rows = Math.min(positions, columns * ROWS_PER_UNKNOWN);
  const random = new Random(seed);
  const a = new Float64Array(columns).fill(1);
  const residual = new Float64Array(p.channels);
  const full = y.shape.at(-1)!;
  const target = y.data as Float32Array;
  for (let r = 0; r < rows; r++) {
    const at = rows === positions ? r : random.int(positions);
    window.gather(at, x.data as Float32Array, a);
    for (let o = 0; o < p.channels; o++) residual[o] = target[at * full + kept[o]!]! - (bias ? bias[o]! : 0);
    for (let k = 0; k < depth; k++) {
      const v = a[k]!;
      if (v !== 0) for (let o = 0, i = k * p.channels; o < p.channels; o++, i++) residual[o]! -= v * w[i]!;
    }
    equations.add(a, residual);
  }
  const change = equations.solve(RIDGE);
  const values = new Map<string, TensorData>([[p.weight, w.map((v, i) => v + change[i]!)]]);
  const shift = (name: string, sign: number): void => {
    const old = graph.tensors.get(name)!.data as Float32Array;
    values.set(
      name,
      old.map((v, o) => v + sign * change[depth * p.channels + o]!),
    );
  };
  if (p.bias) shift(p.bias, 1);
  else if (p.norm) shift(p.norm.inputs[3]!, -1);
  return withConstants(graph, values);
}
