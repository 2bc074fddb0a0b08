import type { Normaliser } from "../analyzer/criterion.js";

/**
 * Every number the pruner starts from, with its reason. Options override them one by one.
 * "Paper" is arXiv 2511.20141 with its official code; "tuned" means chosen on validation splits, never on test data.
 */
export const PRUNE_DEFAULTS = {
  /** Points of accuracy on the validation split that the whole build may cost. Paper: 5 to 10; ours is what a release can bear. */
  maxDrop: 1,
  criterion: "divergence",
  /**
   * How groups compare: by the share of their own flow that a cut takes. With the paper's 1 / (C P) scores of the
   * groups of a ResNet-8 differ by a factor of 100, and whole groups are emptied before another loses a channel.
   */
  normaliser: "group-share" as Normaliser,

  /** Share of the remaining channels that the first iteration removes. Paper, function default. */
  rho0: 0.05,
  /** Exponent of the schedule: above 1, later iterations are bolder. Paper. */
  alpha: 1.5,
  /** Iterations of stage 1 at most. Paper: 5 to 20; fewer here, since each is followed by an epoch and more by the end. */
  iterations: 3,
  /**
   * What sets the size of an iteration: `schedule`, the share of channels above; `target`, equal factors of the cost, so
   * that a target is reached in exactly `iterations` of them, whatever the criterion: what a fair comparison needs.
   */
  pace: "schedule" as "schedule" | "target",
  /** Failed iterations (rolled back, share halved) that end stage 1. Paper's recommended loop. */
  maxFailures: 2,
  /**
   * How far below the dense network, in units of `maxDrop`, an iteration of stage 1 (filters) and a removal of stage 2
   * (layers) may leave the network before the final fine-tuning, which gives back a quarter to a half of what is lost
   * (two ResNet-8: 7.2 points became 5.1, 3.2 became 1.7); a run that went too far steps back.
   */
  filterShare: 1.6,
  layerShare: 1.6,
  /**
   * What makes groups comparable: `output`, how far a group's first step moves the network's output (one forward pass
   * each); `score`, the normalised scores alone. On a ResNet-8 scores alone take the residual stream of the first stage
   * first, which measures 8 times as dear for each millisecond as the layer inside its block.
   */
  compareGroups: "output" as "output" | "score",
  /** Calibration samples of that measurement. */
  sensitivitySamples: 256,
  /** A group keeps at least this share of its channels: a bottleneck cannot be trained open again. */
  minShare: 0.1,
  /** A group loses at most this share of its channels in one iteration: scores are stale once a layer has changed much. */
  maxShareStep: 0.25,
  /** What a saved unit of cost is: predicted milliseconds on the device profile, or MACs. */
  costUnit: "ms" as "ms" | "macs",

  /** Calibration samples for scores. 512 to 2,048 rank alike; the pass is linear in the number. */
  calibrationSamples: 1024,

  /** Removals of stage 2 at most, and rejections in a row that end it. Paper: 5; ours: 3. */
  maxRemovals: 5,
  patience: 3,
  /** Steps of recovery after a unit is taken out: two epochs of 12,000 samples. */
  layerSteps: 384,

  /** Epochs of recovery after each iteration of stage 1, and of each round of the final fine-tuning. */
  recoveryEpochs: 1,
  finalEpochs: 8,
  /** Samples of the training split that one recovery sees; a bigger split is sub-sampled anew each time. */
  recoverySamples: 8192,
  /** Small batches: of a given number of samples, 64 recovered more than 128 (0.783 against 0.765 after 12,000 samples). */
  batch: 64,
  shards: 2,
  /**
   * AdamW with cosine decay (the paper's optimiser). Filters have norm 1 (see prepare.ts), so that a rate means the same
   * in every network. Tuned on a ResNet-8: 0.002 to 0.005 recover alike; SGD needs a rate of its own for
   * each network, and at 0.006 it destroyed this one. `auto` (learning-rate.ts) does no better, so it is not the default:
   * three networks at a quarter of their MACs, three seeds, validation: glyphs 98.0 fixed and 97.9 found, a two-layer CNN
   * on Fashion-MNIST 89.0 and 89.0, an MLP 84.8 and 84.8. Where a network is not trained well by 0.004, it finds another.
   */
  lr: 0.004 as number | "auto",
  finalLr: 0.004 as number | "auto",
  weightDecay: 1e-4,
  /** Distillation from the dense network: temperature and weight of the KL term beside the labels' cross entropy. */
  temperature: 3,
  distillWeight: 0.7,
  labelWeight: 0.3,
  /**
   * Weight of matching the dense network's values at the results of its residual additions, each in units of its mean
   * square. Tuned on a ResNet-8 with 40 % fewer MACs: after 12,000 samples 0.766 without, 0.811 with.
   */
  matchWeight: 60,
  /** `auto`: shift and flip where the dense network itself does not mind mirrored images. */
  augment: "auto" as "auto" | "none" | "shift-flip",

  /**
   * Share of the images of the final fine-tuning that are composites of two (CutMix), where `shift-flip` applies; the
   * dense network says what they are. A ResNet-8 with 41 % fewer MACs: 0.884 of the validation images, without 0.879.
   */
  finalMix: 0.5,
  /** Rounds of the final fine-tuning in all, whatever network they are spent on. */
  finalRounds: 8,
  /** Networks that are fine-tuned before the build gives up. */
  finalAttempts: 3,
  /** A saving of predicted time below this share is refused: it is inside the spread of a measurement. */
  minSaving: 0.05,
} as const;
