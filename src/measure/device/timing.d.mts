import type { Variant } from "../engine.js";

/** How samples are taken; see `TimingChoice` for the defaults. */
export interface TimingOptions {
  readonly runs: number;
  readonly warmup: number;
  readonly warmupMs: number;
  readonly minMs: number;
  /** A sample lasts at least this long. */
  readonly sampleMs: number;
  /** The clock's step is at most this part of a sample. */
  readonly precision: number;
  /** Length of the first and the last minute: 60,000, less in tests. */
  readonly minuteMs: number;
}

/** A package as the timing code sees it. */
export interface JobPackage {
  /** Where its files are: a folder, or an address relative to the page. */
  readonly at: string;
  readonly name: string;
  readonly variants: readonly Variant[];
  /** The modules have their weights inside: there is no file of them. */
  readonly weightsInside?: boolean;
  /** Element types of the inputs. */
  readonly inputs: readonly string[];
  /** Scale and offset of the stored test vector; null where its outputs are not compared. */
  readonly vector: { readonly scale: number; readonly offset: number } | null;
}

export interface Job {
  /** Packages of one group run in turns; groups follow one another. */
  readonly groups: readonly (readonly JobPackage[])[];
  readonly options: TimingOptions;
}

export interface TimingProgress {
  readonly phase: "load" | "warm" | "time";
  /** Part of the phase that is done, 0 to 1. */
  readonly part: number;
  readonly at: string;
  readonly group: number;
  readonly groups: number;
}

/** What an engine answers about one package; times in milliseconds. */
export interface TimedPackage {
  readonly variant: Variant;
  readonly load: {
    readonly compileMs: number;
    /** Null where the engine instantiates before our clock begins. */
    readonly instantiateMs: number | null;
    readonly weightsMs: number;
    readonly selftestMs: number;
  };
  readonly download: { readonly ms: number; readonly bytes: number } | null;
  readonly firstRunMs: number;
  readonly memoryBytes: number;
  /** Outputs on the stored test vector in hexadecimal digits. */
  readonly outputs: readonly string[] | null;
  readonly batch: number;
  readonly count: number;
  readonly minMs: number;
  readonly samples: readonly number[];
  readonly first: readonly number[] | null;
  readonly last: readonly number[] | null;
  readonly timeline: readonly number[];
  readonly processBytes: { readonly start: number; readonly end: number } | null;
}

export interface TimedJob {
  readonly clockStepMs: number;
  readonly groups: readonly (readonly TimedPackage[])[];
}

export interface TimingHost {
  now(): number;
  read(pkg: JobPackage, file: string): Promise<{ readonly bytes: Uint8Array; readonly ms?: number }>;
  /** Lets others run for a moment, where the engine needs that. */
  pause(): Promise<void>;
  report(progress: TimingProgress): void;
  /** Memory of the process in bytes, or null where the engine does not tell. */
  memory(): number | null;
}

export const CAPACITY: number;
export const MINUTE_CAPACITY: number;
export const TIMELINE_POINTS: number;
export function clockStep(now: () => number): number;
export function batchSize(
  quickestMs: number,
  stepMs: number,
  options: Pick<TimingOptions, "sampleMs" | "precision">,
): number;
export class Rounds {
  constructor(width: number, capacity: number);
  readonly count: number;
  add(row: ArrayLike<number>): void;
  clear(): void;
  column(i: number): number[];
}
export function timeJob(job: Job, host: TimingHost): Promise<TimedJob>;
