import type { Executor } from "../host/executor-types.js";
import type { Group } from "../model/coupling.js";
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";
import type { Graph } from "../model/types.js";
import type { Criterion, Gradients, LayerCriterion, Normaliser } from "./criterion.js";
import { measureFlow, type Flow } from "./flow.js";
import type { Moments } from "./moments.js";
import { producersOf, type Producer } from "./producers.js";

/** Importance of every atom of one coupling group; index = atom id. */
export interface GroupScores {
  readonly group: Group;
  /** Sum over the producers of the group; NaN where nobody can score an atom (it is kept). */
  readonly scores: Float64Array;
  /** Layers that vote, by node name. */
  readonly producers: readonly string[];
  /** True for an atom whose activations were zero on every calibration sample in every producer. */
  readonly dead: readonly boolean[];
}

/** Scores of every channel of every layer, by node name; the raw material of `scoreGroups`. */
export function scoreProducers(
  graph: Graph,
  producers: readonly Producer[],
  criterion: LayerCriterion,
  options: { flow: Flow | null; normaliser?: Normaliser; seed: number },
): Map<string, Float64Array> {
  const random = new Random(options.seed);
  const normaliser = options.normaliser ?? criterion.normaliser;
  return new Map(
    producers.map((producer) => {
      const scores = criterion.score({ graph, producer, flow: options.flow, random });
      const divisor = normaliser === "cp" ? (producer.heads?.count ?? producer.channels) * producer.positions : 1;
      return [producer.node.name, scores.map((s) => s / divisor)];
    }),
  );
}

/** Tensors whose statistics `scoreGroups` reads for a criterion. */
export function tensorsFor(graph: Graph, criterion: Criterion): string[] {
  const tensors = new Set<string>();
  for (const p of producersOf(graph)) {
    tensors.add(p.activated);
    if (criterion.readsRaw) tensors.add(p.raw);
    if (criterion.readsInputs && !graph.tensors.get(p.node.inputs[0]!)!.data) tensors.add(p.node.inputs[0]!);
  }
  return [...tensors];
}

/** Streams what `criterion` needs of the calibration split; null for criteria that need nothing. */
export async function flowFor(
  graph: Graph,
  criterion: Criterion,
  executor: Executor,
  calibration: Split,
  samples?: number,
): Promise<Flow | null> {
  if (!criterion.needsFlow) return null;
  return measureFlow(graph, executor, calibration, {
    tensors: tensorsFor(graph, criterion),
    ...(samples ? { samples } : {}),
  });
}

/**
 * Scores the atoms of coupling groups. A criterion for layers gives an atom the sum over the layers of its group of the
 * scores of the channels that bear it, so that every member of a residual stream has a vote; a criterion for groups
 * scores atoms itself. Groups without a layer that produces their channels get NaN throughout.
 */
export function scoreGroups(
  graph: Graph,
  groups: readonly Group[],
  criterion: Criterion,
  options: {
    flow: Flow | null;
    gradients?: Gradients | null;
    moments?: ReadonlyMap<string, Moments> | null;
    normaliser?: Normaliser;
    seed: number;
  },
): GroupScores[] {
  const producers = producersOf(graph);
  const channelScores = "score" in criterion ? scoreProducers(graph, producers, criterion, options) : null;
  const byRaw = new Map(producers.map((p) => [p.raw, p]));
  return groups.map((group): GroupScores => {
    const scores = new Float64Array(group.atoms.length).fill(NaN);
    const dead = group.atoms.map(() => false);
    const voters = new Set<string>();
    const whole =
      "scoreGroup" in criterion
        ? criterion.scoreGroup({
            graph,
            group,
            flow: options.flow,
            gradients: options.gradients ?? null,
            moments: options.moments ?? null,
          })
        : null;
    for (const atom of group.atoms) {
      let sum = NaN;
      let silent = options.flow !== null;
      for (const { tensor, axis, indices } of atom.members) {
        const p = byRaw.get(tensor);
        if (!p || axis !== graph.tensors.get(tensor)!.type.shape.length - 1) continue;
        voters.add(p.node.name);
        const own = channelScores?.get(p.node.name);
        const stats = options.flow?.tensors.get(p.activated);
        for (const i of indices) {
          sum = (Number.isNaN(sum) ? 0 : sum) + (own ? own[i]! : 0);
          const idle = p.heads
            ? stats?.headNorm[p.heads.of[i]! % p.heads.count] === 0
            : stats?.min[i] === 0 && stats.max[i] === 0;
          if (!idle) silent = false;
        }
      }
      const score = Number.isNaN(sum) || !whole ? sum : whole[atom.id]!;
      scores[atom.id] = Number.isFinite(score) ? score : NaN;
      dead[atom.id] = silent && !Number.isNaN(sum);
    }
    const normaliser = options.normaliser ?? criterion.normaliser;
    if (normaliser === "group-mean" || normaliser === "group-share") {
      const valid = scores.filter((s) => !Number.isNaN(s));
      const total = valid.reduce((s, v) => s + v, 0);
      const divisor = normaliser === "group-share" ? total : total / valid.length;
      if (divisor > 0) for (let i = 0; i < scores.length; i++) scores[i]! /= divisor;
    }
    return { group, scores, producers: [...voters], dead };
  });
}
