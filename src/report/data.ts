/**
 * What a report shows: plain data, so that the renderer knows neither the pruner nor the emitter.
 * Everything that a build may lack (no data, no pruning, nothing measured) is optional and left out of the page.
 */

export interface Pair {
  readonly dense: number;
  readonly pruned: number;
}

/** Bytes of one package. */
export interface ReportBytes {
  readonly weights: number;
  readonly code: number;
  readonly glue: number;
  readonly weightsBrotli?: number;
  readonly codeBrotli?: number;
  readonly glueBrotli?: number;
}

/** One line of the ledger: a step that was tried, what it saved, what it cost, and what became of it. */
export interface ReportStep {
  readonly stage: "filters" | "layers";
  /** What was removed, in words: "8 filters of stage2.conv1". */
  readonly what: string;
  /** Why this one, in words: "lowest divergence: 0.012". */
  readonly why: string;
  readonly accepted: boolean;
  /** What came of it, in words: how much it cost, why it was rolled back. */
  readonly reason?: string;
  /** After the step. */
  readonly macs: number;
  readonly params: number;
  /** Metric on the validation split after recovery, a fraction. */
  readonly metric?: number;
  readonly predictedMs?: number;
  readonly measuredMs?: number;
  /** The single removals that the step was made of. */
  readonly removals?: readonly ReportRemoval[];
}

/** One group's channels or one unit that a step took out, and what it saved on top of those listed before it. */
export interface ReportRemoval {
  /** Layers or unit, in words. */
  readonly what: string;
  /** How many of what: "8 of 64 channels: 1, 5, 17". */
  readonly which: string;
  /** Smallest and largest score and place in the ranking of what went. */
  readonly score: readonly [number, number];
  readonly rank: readonly [number, number];
  readonly macs: number;
  readonly params: number;
  readonly ms: number;
}

/** One layer of the dense model and what is left of it (null: removed). */
export interface ReportLayer {
  readonly name: string;
  readonly op: string;
  readonly macs: { readonly dense: number; readonly pruned: number | null };
  readonly params: { readonly dense: number; readonly pruned: number | null };
}

/** A buffer of the memory plan: alive from step `from` to step `to`, both included. */
export interface ReportBuffer {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

export interface ReportLatency {
  /** What the figure belongs to: "dense", "pruned, simd". */
  readonly label: string;
  readonly p50Ms: number;
  readonly p90Ms?: number;
  readonly p99Ms?: number;
  readonly predicted?: boolean;
}

export interface ReportData {
  readonly name: string;
  readonly accepted: boolean;
  /** One sentence: why the build was refused, or a remark on an accepted one. */
  readonly reason?: string;
  /** Fractions between 0 and 1, on the validation split (`name` says what is measured). */
  readonly metric?: Pair & { readonly name: string; readonly emitted?: number; readonly maxDropPoints?: number };
  /** Paired comparison on the test split, in points; `low` and `high` bound its 95 % interval. */
  readonly test?: Pair & {
    readonly samples: number;
    readonly dropPoints: number;
    readonly low?: number;
    readonly high?: number;
  };
  readonly macs: Pair;
  readonly params: Pair;
  readonly bytes?: { readonly dense?: ReportBytes; readonly pruned: ReportBytes };
  readonly arenaBytes?: { readonly dense?: number; readonly pruned: number };
  readonly latency?: { readonly device: string; readonly entries: readonly ReportLatency[] };
  /** max|a-b| / max|b| between emitted module and host, and the bound that the passport states. */
  readonly error?: { readonly measured: number; readonly bound?: number };
  readonly layers?: readonly ReportLayer[];
  readonly ledger: readonly ReportStep[];
  readonly memory?: {
    readonly bytes: number;
    readonly steps: readonly string[];
    readonly buffers: readonly ReportBuffer[];
  };
  /** What could not be cut or was refused, in words. */
  readonly refusals?: readonly { readonly what: string; readonly why: string }[];
  /** Options, seed, hashes: shown at the end as they are. */
  readonly facts?: readonly (readonly [string, string])[];
}
