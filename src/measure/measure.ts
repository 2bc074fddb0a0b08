import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { RUNNER_SOURCE } from "./runner-source.js";
import { cannotBeTimed, runProgram, type Failure, type NodeChoice } from "./run-program.js";
import { pairedRatio, summarize, type Ratio, type Steady } from "./statistics.js";

export type Variant = "simd" | "relaxed";

export interface MeasureOptions extends NodeChoice {
  /** Timed samples of each package; default 200. */
  readonly runs?: number;
  /** Runs before the first sample; default 20, and at least 300 ms, since V8 optimises in the background. */
  readonly warmup?: number;
  readonly warmupMs?: number;
  /** Keep sampling for at least this long; default 0. */
  readonly minMs?: number;
  /** The module to time; default: the one that the package's own glue would take. */
  readonly variant?: Variant;
}

/** Where a figure was measured: it is worth nothing elsewhere. */
export interface Engine {
  readonly runtime: "node";
  readonly version: string;
  readonly v8: string;
  readonly cpu: string;
  readonly cores: number;
  readonly arch: string;
  readonly os: string;
}

export interface Measurement {
  /** Name in the package's package.json. */
  readonly package: string;
  readonly dir: string;
  readonly variant: Variant;
  readonly engine: Engine;
  /** Milliseconds from bytes in memory to ready: compile, instantiate, weights and `setup()`, self-test. */
  readonly load: {
    readonly compileMs: number;
    readonly instantiateMs: number;
    readonly weightsMs: number;
    readonly selftestMs: number;
  };
  /** The first run, inputs and outputs copied; includes whatever the engine compiles late. */
  readonly firstRunMs: number;
  /** Milliseconds of one run once warm, inputs copied in and outputs copied out. */
  readonly steady: Steady;
  /** Linear memory; it is fixed. */
  readonly memoryBytes: number;
  /** How many times as fast as the first package of the list, paired by round; null for the first itself. */
  readonly speedup: Ratio | null;
}

interface RunnerPackage {
  readonly dir: string;
  readonly variant: Variant;
  readonly firstRunMs: number;
  readonly samples: number[];
  readonly batch: number;
  readonly memoryBytes: number;
  readonly load: Measurement["load"];
}

type RunnerAnswer =
  { readonly engine: Engine; readonly packages: readonly RunnerPackage[]; readonly error?: undefined } | Failure;

/**
 * Times packages against each other: one child process, one thread, packages alternating run by run, so that what
 * disturbs the machine disturbs all of them. The first directory is what the others are compared with.
 */
export async function measurePackages(dirs: readonly string[], options: MeasureOptions = {}): Promise<Measurement[]> {
  const { runs = 200, warmup = 20, warmupMs = 300, minMs = 0, variant } = options;
  if (dirs.length === 0) throw new IdapError("E_MEASURE", "no package to measure", "Name at least one package folder.");
  if (!Number.isInteger(runs) || runs < 1) {
    throw new IdapError("E_OPTION", `the number of runs must be a whole number above 0, got ${runs}`);
  }
  const names = dirs.map(packageName);
  const request = {
    packages: dirs.map((dir) => ({ dir: path.resolve(dir), variants: variant ? [variant] : ["relaxed", "simd"] })),
    runs,
    warmup,
    warmupMs,
    minBatchMs: 0.05,
    minMs,
  };
  const answer = await runProgram<RunnerAnswer>(RUNNER_SOURCE, request, options);
  if (answer.error !== undefined) throw cannotBeTimed(answer);
  const base = answer.packages[0]!.samples;
  return answer.packages.map((p, i) => ({
    package: names[i]!,
    dir: dirs[i]!,
    variant: p.variant,
    engine: answer.engine,
    load: p.load,
    firstRunMs: p.firstRunMs,
    steady: summarize(p.samples, p.batch),
    memoryBytes: p.memoryBytes,
    speedup: i === 0 ? null : pairedRatio(base, p.samples),
  }));
}

/** Name of the package in `dir`; throws where there is no package of ours. */
export function packageName(dir: string): string {
  const file = path.join(dir, "package.json");
  const noPackage = (why: string): IdapError =>
    new IdapError("E_NO_PACKAGE", `${dir}: no package: ${why}`, "Name a folder that `idap build` wrote.");
  if (!existsSync(dir)) throw noPackage("the folder does not exist");
  if (!existsSync(file)) throw noPackage("it has no package.json");
  if (!existsSync(path.join(dir, "passport.json"))) throw noPackage("it has no passport.json");
  try {
    return String((JSON.parse(readFileSync(file, "utf8")) as { name: unknown }).name);
  } catch {
    throw noPackage("its package.json is not JSON");
  }
}
