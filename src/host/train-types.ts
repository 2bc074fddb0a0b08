import type { Graph } from "../model/types.js";

export type Optimizer =
  | { readonly kind: "sgd"; readonly momentum: number; readonly nesterov?: boolean; readonly weightDecay: number }
  | { readonly kind: "adamw"; readonly beta1?: number; readonly beta2?: number; readonly weightDecay: number };

export interface StepReport {
  /** From 1. */
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Over the steps so far; for display only. */
  readonly imagesPerSecond: number;
}

export interface TrainOptions {
  /** Passes over the data; a last batch that is not full is left out. */
  readonly epochs: number;
  /** Samples of one step. Default 128; at most the samples there are. */
  readonly batch?: number;
  /** Parts of a batch, each with batch statistics of its own. Default 2. Results depend on it, not on the threads. */
  readonly shards?: number;
  /** Worker threads. Default: as many as there are shards and processors. Results do not depend on it. */
  readonly threads?: number;
  /** Relaxed SIMD where the engine has it: faster, and the bits may differ between machines. */
  readonly fast?: boolean;
  readonly seed: number;
  readonly optimizer: Optimizer;
  /** Learning rate at its highest. */
  readonly lr: number;
  /** Steps of linear rise from 0. Default 0. */
  readonly warmupSteps?: number;
  /**
   * After the warm-up: fall to 0 along half a cosine (default), or stay. `ramp`, for a range test: begin at `lr` and
   * double every four steps, without warm-up.
   */
  readonly schedule?: "cosine" | "constant" | "ramp";
  /** Ends earlier than the epochs do; the schedule ends with it. */
  readonly maxSteps?: number;
  readonly loss: {
    /** Weight of the cross entropy with the labels. Default 1, or 0 where the data has none. */
    readonly labels?: number;
    /** Share of the probability that is spread evenly over the classes. Default 0. */
    readonly labelSmoothing?: number;
    readonly distill?: { readonly teacher: Graph; readonly temperature: number; readonly weight: number };
  };
  /** Matches tensors of a teacher (mean squared error); pairs of student tensor and teacher tensor. */
  readonly match?: {
    readonly teacher: Graph;
    readonly pairs: readonly (readonly [student: string, teacher: string])[];
    /** Factor of each pair beside `weight`, which is shared out among them. Default 1. */
    readonly factors?: readonly number[];
    readonly weight: number;
  };
  /** Which constants may change. A batch norm whose gamma may not keeps its stored statistics too. Default: all. */
  readonly trainable?: (constantName: string) => boolean;
  /** "shift-flip": images move by up to an eighth of their size and are mirrored, both at random. Default "none". */
  readonly augment?: "none" | "shift-flip";
  /** Share of the samples, which must be images, into which a part of another one is pasted (CutMix). Default 0. */
  readonly cutMix?: number;
  /** How much of the running statistics stays at each step. Default 0.9. */
  readonly bnMomentum?: number;
  readonly onStep?: (report: StepReport) => void;
}
