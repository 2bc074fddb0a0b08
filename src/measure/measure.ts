import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { RUNNER_SOURCE } from "./runner-source.js";
import { pairedRatio, summarize, type Ratio, type Steady } from "./statistics.js";

export type Variant = "simd" | "relaxed";

export interface MeasureOptions {
  /** Timed samples of each package; default 200. */
  readonly runs?: number;
  /** Runs before the first sample; default 20, and at least 300 ms, since V8 optimises in the background. */
  readonly warmup?: number;
  readonly warmupMs?: number;
  /** Keep sampling for at least this long; default 0. */
  readonly minMs?: number;
  /** The module to time; default: the one that the package's own glue would take. */
  readonly variant?: Variant;
  /** The Node to time in; default: this one. */
  readonly nodePath?: string;
  /** Flags for that Node, for example `--experimental-wasm-relaxed-simd`. */
  readonly nodeFlags?: readonly string[];
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
  | { readonly engine: Engine; readonly packages: readonly RunnerPackage[]; readonly error?: undefined }
  | { readonly error: string; readonly dir: string | null };

/**
 * Times packages against each other: one child process, one thread, packages alternating run by run, so that what
 * disturbs the machine disturbs all of them. The first directory is what the others are compared with.
 */
export async function measurePackages(dirs: readonly string[], options: MeasureOptions = {}): Promise<Measurement[]> {
  const { runs = 200, warmup = 20, warmupMs = 300, minMs = 0, variant, nodePath = process.execPath } = options;
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
  const answer = await runChild(nodePath, options.nodeFlags ?? [], JSON.stringify(request));
  if (answer.error !== undefined) {
    throw new IdapError(
      "E_MEASURE",
      `${answer.dir ?? "package"}: cannot be timed: ${answer.error}`,
      "Run `idap verify` on the package; it says which file is wrong.",
    );
  }
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

function runChild(nodePath: string, flags: readonly string[], request: string): Promise<RunnerAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(nodePath, [...flags, "--input-type=module", "--eval", RUNNER_SOURCE], {
      stdio: ["pipe", "pipe", "pipe"],
      // Flags that the caller's own process runs with (a debugger, a coverage tool) must not slow the child.
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (s: string) => (out += s));
    child.stderr.setEncoding("utf8").on("data", (s: string) => (err += s));
    child.on("error", (e) =>
      reject(
        new IdapError("E_MEASURE", `${nodePath} cannot be started: ${e.message}`, "Name the path of a Node binary."),
      ),
    );
    child.on("close", (code, signal) => {
      try {
        resolve(JSON.parse(out) as RunnerAnswer);
      } catch {
        reject(
          new IdapError(
            "E_MEASURE",
            `the timing process ended without an answer (${signal ?? `exit code ${code}`}): ${err.trim().split("\n").at(-1) ?? ""}`,
          ),
        );
      }
    });
    child.stdin.on("error", () => {}); // reported by "close"
    child.stdin.end(request);
  });
}
