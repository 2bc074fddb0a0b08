import type { PruneOptions } from "../pruner/options.js";
import type { LedgerEntry } from "../pruner/ledger.js";
import type { DataSet, LoadOptions } from "../data/index.js";
import type { ReadOptions } from "../formats/index.js";

/** How far a build has come. */
export interface BuildProgress {
  /** What is being done, in a few words; a new stage begins a new estimate for `done` of `total`. */
  readonly stage: string;
  readonly done: number;
  /** 0 where it is not known how much there is. */
  readonly total: number;
  readonly detail?: string;
  /** Share of the whole build that is done, 0 to 1, and an estimate of the seconds left (null at the beginning). */
  readonly fraction: number;
  readonly etaSeconds: number | null;
}

export interface BuildOptions {
  /** A model file that `readModel` understands. */
  readonly model: string;
  /** What the file leaves open: the batch, shapes of inputs. */
  readonly read?: ReadOptions;
  /** The folder of the package. */
  readonly out: string;
  /** Default `wasm`. */
  readonly target?: string;
  /** Name or path of a device profile; default: the target's. */
  readonly device?: string;
  /** Folder of samples, or a data set in memory. Needed for pruning; without pruning it only adds the metric. */
  readonly data?: string | DataSet;
  readonly load?: Omit<LoadOptions, "seed">;
  readonly seed?: number;
  /** Winograd's method for 3x3 convolutions: where it pays (`auto`, the default), or nowhere. */
  readonly winograd?: "auto" | "off";
  /** Weights inside the modules, and a C header beside them; default: as the target says. */
  readonly singleFile?: boolean;
  /** False: the package of the model as it is. */
  readonly prune?: boolean;
  readonly pruning?: Omit<PruneOptions, "seed" | "profile" | "channelMultiple">;
  readonly executor?: "wasm" | "reference";
  readonly threads?: number;
  /** Relaxed SIMD on the host: faster, but another machine may give other bytes. */
  readonly fast?: boolean;
  /** Continue an interrupted build from its run folder. */
  readonly resume?: boolean;
  /** False: nothing is timed, and no claim about measured speed is made or checked. */
  readonly measure?: boolean;
  /** Timed runs of each package. */
  readonly runs?: number;
  /** Keep every accepted network and draw them beside the package: accuracy over predicted milliseconds. */
  readonly sweep?: boolean;
  readonly onProgress?: (p: BuildProgress) => void;
  readonly onEntry?: (entry: LedgerEntry) => void;
}

/** A device and what one inference may take there. */
export interface DeviceBudget {
  /** Name or path of a profile. */
  readonly device: string;
  readonly ms?: number;
}

/** What a build for several devices says about itself. */
export interface DevicesResult {
  /** Whether every device's package was accepted. */
  readonly accepted: boolean;
  readonly devices: readonly BuildResult[];
}

interface DensePruned<T> {
  readonly dense: T;
  readonly pruned: T;
}

/** Dense and pruned on the test split, which nothing else in a build looks at. Shares between 0 and 1. */
export interface TestReport extends DensePruned<number> {
  readonly samples: number;
  /** Accuracy of the emitted module on the same samples. */
  readonly emitted: number;
  /** Paired difference dense - pruned in points, with its 95 % interval. */
  readonly dropPoints: number;
  readonly low: number;
  readonly high: number;
}

/** Bytes that a device loads, raw and as brotli; `code` is the strict module. */
export interface PackageBytes {
  readonly weights: number;
  readonly code: number;
  readonly glue: number;
  readonly weightsBrotli: number;
  readonly codeBrotli: number;
  readonly glueBrotli: number;
}

/** What a build says about itself; `idap build --json` prints it. */
export interface BuildResult {
  readonly accepted: boolean;
  /** Why the build was refused, in one sentence. */
  readonly reason?: string;
  /** Folder of the package. */
  readonly package: string;
  readonly name: string;
  /** On the validation split; null without data. `emitted` is the module's own, on the test split where there is one. */
  readonly metric: (DensePruned<number> & { readonly name: string; readonly emitted: number | null }) | null;
  readonly maxDropPoints: number | null;
  readonly test: TestReport | null;
  readonly macs: DensePruned<number>;
  readonly params: DensePruned<number>;
  readonly bytes: PackageBytes & {
    /** Of the model file. */
    readonly source: number;
    /** The same of the dense package; null without pruning. */
    readonly dense: PackageBytes | null;
  };
  readonly arenaBytes: number;
  /** Of the dense package; null without pruning. */
  readonly denseArenaBytes: number | null;
  readonly latency: {
    readonly device: string;
    readonly predictedMs: number;
    readonly densePredictedMs: number;
    /** Between these 90 % of networks of the predicted time are expected. */
    readonly interval: readonly [low: number, high: number];
    /** What the user asked for; null for nothing. */
    readonly budgetMs: number | null;
    /** By what predictions were multiplied after the first package had been measured; null where they were not. */
    readonly corrected: number | null;
    /** Median of the package and of the dense package, alternating in one process; null when nothing was timed. */
    readonly measuredMs: number | null;
    readonly denseMs: number | null;
    /** Paired median of dense / pruned. */
    readonly speedup: number | null;
    /** The engine that timed, for people; null when nothing was timed. */
    readonly measuredOn: string | null;
    /** Whether that is the profile's device; else this Node stands in for it, and the budget is kept by prediction only. */
    readonly onDevice: boolean;
  };
  /** max|a - b| / max|b| between the emitted module (a) and the host (b). */
  readonly maxError: number;
  /** The same of the dense module; null without pruning. */
  readonly denseMaxError: number | null;
  readonly ledger: readonly LedgerEntry[];
  /** Where checkpoints are kept; null without pruning. */
  readonly run: string | null;
  readonly seconds: number;
}
