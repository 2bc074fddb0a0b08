import { getCriterion } from "../analyzer/criterion-registry.js";
import { NORMALISERS, type Normaliser } from "../analyzer/criterion.js";
import type { DeviceProfile } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import { PRUNE_DEFAULTS } from "./defaults.js";

/** Stop as soon as one of these is reached, even where the accuracy budget would allow more. */
export interface PruneTarget {
  /** Share of the dense network's MACs, between 0 and 1. */
  readonly macs?: number;
  /** Predicted milliseconds on the device profile. */
  readonly ms?: number;
}

/** What a caller may set; everything has a default in `defaults.ts`. */
export interface PruneOptions {
  readonly seed: number;
  readonly profile: DeviceProfile;
  /** Kernel tile: channel counts are cut down to multiples of this. */
  readonly channelMultiple: number;
  readonly maxDrop?: number;
  readonly criterion?: string;
  readonly normaliser?: Normaliser;
  readonly target?: PruneTarget;
  /** No gradients: scores, cuts, bias compensation and batch-norm statistics only. */
  readonly oneShot?: boolean;
  readonly rho0?: number;
  readonly alpha?: number;
  readonly iterations?: number;
  /** Whether iterations of stage 1 take shares of the channels (`schedule`), or come to a target in equal steps (`target`). */
  readonly pace?: "schedule" | "target";
  readonly maxFailures?: number;
  readonly filterShare?: number;
  readonly minShare?: number;
  readonly maxShareStep?: number;
  readonly compareGroups?: "output" | "score";
  readonly sensitivitySamples?: number;
  readonly costUnit?: "ms" | "macs";
  readonly calibrationSamples?: number;
  readonly maxRemovals?: number;
  readonly patience?: number;
  readonly layerShare?: number;
  readonly layerSteps?: number;
  readonly matchWeight?: number;
  readonly recoveryEpochs?: number;
  readonly finalEpochs?: number;
  readonly recoverySamples?: number;
  readonly batch?: number;
  readonly shards?: number;
  /** Learning rates of the recovery and of the final fine-tuning; `auto`: found by a range test. */
  readonly lr?: number | "auto";
  readonly finalLr?: number | "auto";
  readonly weightDecay?: number;
  readonly temperature?: number;
  readonly distillWeight?: number;
  readonly labelWeight?: number;
  readonly augment?: "auto" | "none" | "shift-flip";
  readonly finalMix?: number;
  /** Least-squares repair of the readers of what was cut. Default: exactly where nothing is trained. */
  readonly repair?: boolean;
  readonly finalRounds?: number;
  readonly finalAttempts?: number;
  readonly minSaving?: number;
}

/** Options with every default filled in. */
export type ResolvedOptions = Required<PruneOptions>;

/** Fills in defaults and refuses values that make no sense. */
export function resolveOptions(options: PruneOptions): ResolvedOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined));
  const all = {
    ...PRUNE_DEFAULTS,
    target: {},
    oneShot: false,
    // Without training nothing else makes up for a channel than the layers that read it.
    ...(given.oneShot === true && given.criterion === undefined && { criterion: "reconstruction", normaliser: "none" }),
    // A branch or layer is more than the readers behind it make up for: without its least one ResNet-8 loses 35 points
    // (docs/pruning.md).
    ...(given.oneShot === true && { maxRemovals: 0 }),
    repair: given.oneShot === true || given.recoveryEpochs === 0,
    ...given,
  } as ResolvedOptions;
  const check = (ok: boolean, name: string, need: string, got: unknown): void => {
    if (!ok) throw new IdapError("E_OPTION", `${name} must be ${need}, got ${String(got)}`);
  };
  check(all.maxDrop >= 0 && all.maxDrop <= 100, "max-drop", "between 0 and 100 points", all.maxDrop);
  check(Number.isInteger(all.seed) && all.seed >= 0, "seed", "a whole number of at least 0", all.seed);
  check(
    Number.isInteger(all.iterations) && all.iterations >= 0,
    "iterations",
    "a whole number of at least 0",
    all.iterations,
  );
  check(all.rho0 > 0 && all.rho0 < 1, "rho0", "between 0 and 1", all.rho0);
  getCriterion(all.criterion);
  check(NORMALISERS.includes(all.normaliser), "normaliser", `one of ${NORMALISERS.join(", ")}`, all.normaliser);
  for (const name of ["lr", "finalLr"] as const) {
    const rate = all[name];
    check(rate === "auto" || (rate > 0 && rate < Infinity), "learning-rate", "auto or a number above 0", rate);
  }
  const { macs, ms } = all.target;
  check(macs === undefined || (macs > 0 && macs < 1), "target MACs", "a share between 0 and 1", macs);
  check(ms === undefined || ms > 0, "target ms", "above 0", ms);
  return all;
}
