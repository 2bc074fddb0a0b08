import type { Graph } from "../model/types.js";
import type { Random } from "../model/random.js";
import type { Flow } from "./flow.js";
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

/** A rule that gives every output channel of a layer an importance; the lowest go first. */
export interface Criterion {
  readonly name: string;
  /** One line for the generated table of criteria. */
  readonly summary: string;
  /** True when it reads `flow`, so that calibration data has to be streamed. */
  readonly needsFlow: boolean;
  /** True when it reads the statistics of `producer.raw` as well as those of `producer.activated`. */
  readonly readsRaw?: boolean;
  /**
   * How scores of different layers become comparable when the user does not choose:
   * `cp` divides by channels times positions, `group-mean` by the mean over the coupling group, `group-share` by the
   * sum over it, so that a score is the share of the group's flow.
   */
  readonly normaliser: Normaliser;
  /** One score for each output channel; NaN means keep. */
  score(context: CriterionContext): Float64Array;
}

export type Normaliser = "none" | "cp" | "group-mean" | "group-share";

export const NORMALISERS: readonly Normaliser[] = ["none", "cp", "group-mean", "group-share"];

/** Fixes the type of a definition; the list of criteria is generated from the folder. */
export function defineCriterion(criterion: Criterion): Criterion {
  return criterion;
}
