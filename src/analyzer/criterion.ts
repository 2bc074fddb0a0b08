import type { Group } from "../model/coupling.js";
import type { Graph } from "../model/types.js";
import type { Random } from "../model/random.js";
import type { Flow } from "./flow.js";
import type { Moments } from "./moments.js";
import type { Producer } from "./producers.js";

/** What a criterion sees when it scores the output channels of one layer. */
export interface CriterionContext {
  readonly graph: Graph;
  readonly producer: Producer;
  /** Statistics of `producer.raw` and `producer.activated`; empty for criteria that need no data. */
  readonly flow: Flow | null;
  /** Seeded; drawn from in graph order. */
  readonly random: Random;
}

/** What a criterion sees when it scores a whole coupling group. */
export interface GroupContext {
  readonly graph: Graph;
  readonly group: Group;
  readonly flow: Flow | null;
  /** Mean gradient of the loss for every parameter, by tensor name; null unless the criterion needs it. */
  readonly gradients: Gradients | null;
  /** Second moments of what layers multiply, by node name; null unless the criterion needs them. */
  readonly moments: ReadonlyMap<string, Moments> | null;
}

/** Mean gradient over samples of a loss with respect to parameters, by tensor name. */
export type Gradients = ReadonlyMap<string, Float32Array>;

interface CriterionBase {
  readonly name: string;
  /** One line for the generated table of criteria. */
  readonly summary: string;
  /** Where it comes from. */
  readonly source: string;
  /** True when it reads `flow`, so that calibration data has to be streamed. */
  readonly needsFlow: boolean;
  /** True when it reads the statistics of `producer.raw` as well as those of `producer.activated`. */
  readonly readsRaw?: boolean;
  /** True when it reads the statistics of what layers with weights take in. */
  readonly readsInputs?: boolean;
  /** True when it reads `gradients`: labelled calibration data and a backward pass are needed. */
  readonly needsGradients?: boolean;
  /** True when it reads `moments`. */
  readonly needsMoments?: boolean;
  /**
   * How scores of different layers become comparable when the user does not choose:
   * `cp` divides by channels times positions, `group-mean` by the mean over the coupling group, `group-share` by the
   * sum over it, so that a score is the share of the group's flow.
   */
  readonly normaliser: Normaliser;
}

/** Scores every layer by itself; a coupled channel gets the sum over the layers of its group. */
export interface LayerCriterion extends CriterionBase {
  /** One score for each output channel; NaN means keep. */
  score(context: CriterionContext): Float64Array;
}

/** Scores coupled channels as a whole, with all weights that would go with them. */
export interface GroupCriterion extends CriterionBase {
  /** One score for each atom of the group; NaN means keep. */
  scoreGroup(context: GroupContext): Float64Array;
}

/** A rule that gives every output channel an importance; the lowest go first. */
export type Criterion = LayerCriterion | GroupCriterion;

export type Normaliser = "none" | "cp" | "group-mean" | "group-share";

export const NORMALISERS: readonly Normaliser[] = ["none", "cp", "group-mean", "group-share"];

/** Fixes the type of a definition; the list of criteria is generated from the folder. */
export function defineCriterion<C extends Criterion>(criterion: C): C {
  return criterion;
}
