import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { criterionNames, getCriterion } from "../analyzer/criterion-registry.js";
import { fitToModel, loadData, type DataSet } from "../data/index.js";
import { emit } from "../emit/index.js";
import { readModel } from "../formats/index.js";
import { measurePackages } from "../measure/index.js";
import type { DeviceProfile } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import { writeAtomically } from "../model/serialize.js";
import type { Graph } from "../model/types.js";
import { memoryStore } from "../pruner/checkpoint.js";
import { costFigures, foldedGraph } from "../pruner/context.js";
import { hostEngine, type Engine } from "../pruner/engine.js";
import { resolveOptions, type PruneOptions } from "../pruner/options.js";
import { prune, runKey } from "../pruner/prune.js";
import { compareChart } from "../report/compare.js";
import { loadOptionsFor } from "./build.js";
import { ProgressMeter } from "./progress.js";
import { spreadOf, type Spread } from "./spread.js";
import { loadDevice, loadTarget } from "./targets.js";
import type { BuildOptions } from "./types.js";

/** Which stages of the pruner a comparison runs: criteria differ in the first one only. */
export type CompareStages = "filters" | "layers" | "both";

export interface CompareOptions extends Pick<
  BuildOptions,
  "model" | "read" | "data" | "load" | "seed" | "executor" | "threads" | "fast" | "device" | "target" | "onProgress"
> {
  readonly data: string | DataSet;
  /** Folder of the results: one file for each run, `compare.json` and `compare.svg`. */
  readonly out: string;
  /** Names of criteria. Default: all. The first is what the others are compared with. */
  readonly criteria?: readonly string[];
  /** Runs of each criterion with seeds of their own, from `seed` up. Default 3. */
  readonly seeds?: number;
  /** Shares of the dense network's MACs to prune to. Default 0.5. */
  readonly macs?: readonly number[];
  /** Default `filters`. */
  readonly stages?: CompareStages;
  /** Everything else that the runs share, recovery above all. */
  readonly pruning?: Omit<PruneOptions, "seed" | "profile" | "channelMultiple" | "criterion" | "target" | "maxDrop">;
  /** False: nothing is timed. */
  readonly measure?: boolean;
  /** Timed runs of each package. */
  readonly runs?: number;
  /** Keeps the runs that are finished. */
  readonly resume?: boolean;
}

/** One criterion with one seed at one budget. Accuracies are shares between 0 and 1. */
export interface CompareRun {
  readonly criterion: string;
  readonly seed: number;
  /** Share of the MACs that was asked for. */
  readonly target: number;
  /** What was reached; steps are whole tiles, so it may be a little less. */
  readonly macs: number;
  /** Steps that were recovered from, the same for all criteria where every group has channels enough to give. */
  readonly recoveries: number;
  readonly predictedMs: number;
  readonly validation: number;
  /** Null without test samples. */
  readonly test: number | null;
  /** Time of the package over that of the dense one, interleaved in one process; null when not measured. */
  readonly measuredShare: number | null;
}

/** Runs of one criterion at one budget, summed up. */
export interface CompareRow {
  readonly criterion: string;
  readonly target: number;
  readonly macs: number;
  readonly predictedMs: number;
  readonly measuredShare: number | null;
  readonly validation: Spread;
  readonly test: Spread | null;
  /** Points by which the first criterion is better, seed by seed, on test samples (validation without). */
  readonly behind: Spread | null;
}

export interface CompareResult {
  readonly out: string;
  readonly dense: {
    readonly macs: number;
    readonly predictedMs: number;
    readonly validation: number;
    readonly test: number | null;
  };
  readonly runs: readonly CompareRun[];
  readonly rows: readonly CompareRow[];
}

interface Setup {
  readonly graph: Graph;
  readonly data: DataSet;
  readonly device: DeviceProfile;
  readonly multiple: number;
  readonly engine: Engine;
}

/**
 * Prunes one model with several criteria and seeds to the same shares of its MACs, with the same recovery, and sums up.
 *
 * The accuracy limit is off, so that every run reaches its budget; the data's splits are those of `seed` for all runs.
 * A finished run is a file in `out`, so an interrupted comparison goes on with `resume`.
 */
export async function compare(options: CompareOptions): Promise<CompareResult> {
  const { seed = 0, seeds = 3, macs = [0.5], criteria = criterionNames() } = options;
  check(criteria, seeds, macs);
  const meter = new ProgressMeter(options.onProgress);
  meter.begin("reading model and data", 0.01);
  const setup = await prepare(options, seed);
  const folder = path.resolve(options.out);
  if (!options.resume) await rm(path.join(folder, "runs"), { recursive: true, force: true });
  await mkdir(path.join(folder, "runs"), { recursive: true });

  const runs: CompareRun[] = [];
  const total = criteria.length * seeds * macs.length;
  const dense = densePackage(setup.graph, path.join(folder, "runs", ".dense"));
  try {
    for (const target of macs) {
      for (let s = 0; s < seeds; s++) {
        for (const criterion of criteria) {
          meter.begin(`${criterion}, seed ${seed + s}, ${percent(target)} of the MACs`, 0.98 / total);
          runs.push(await oneRun(options, setup, folder, { criterion, seed: seed + s, target }, dense, meter));
        }
      }
    }
  } finally {
    await dense.remove();
  }
  const result = await sumUp(setup, folder, runs, criteria, macs);
  await writeAtomically(path.join(folder, "compare.json"), `${JSON.stringify(result, null, 1)}\n`);
  await writeAtomically(path.join(folder, "compare.svg"), compareChart(result));
  meter.end();
  return result;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

function check(criteria: readonly string[], seeds: number, macs: readonly number[]): void {
  if (criteria.length === 0) throw new IdapError("E_OPTION", "a comparison needs at least one criterion, got none");
  criteria.forEach((name) => getCriterion(name));
  const twice = criteria.find((name, i) => criteria.indexOf(name) !== i);
  if (twice !== undefined) throw new IdapError("E_OPTION", `the criterion ${twice} is given twice`, "Give it once.");
  if (!(Number.isInteger(seeds) && seeds >= 1)) {
    throw new IdapError("E_OPTION", `seeds must be a whole number of at least 1, got ${seeds}`);
  }
  const wrong = macs.find((share) => !(share > 0 && share < 1));
  if (macs.length === 0 || wrong !== undefined) {
    throw new IdapError("E_OPTION", `macs must be shares between 0 and 1, got ${wrong ?? "none"}`);
  }
}

async function prepare(options: CompareOptions, seed: number): Promise<Setup> {
  const target = loadTarget(options.target ?? "wasm");
  const device = loadDevice(options.device ?? target.defaultDevice);
  const graph = await readModel(options.model, options.read ?? {});
  const given = options.data;
  const read = typeof given === "string" ? await loadData(given, loadOptionsFor(graph, { ...options, seed })) : given;
  const data = fitToModel(read, graph);
  if (data.train.count === 0 || !data.train.labels) {
    throw new IdapError(
      "E_DATA",
      `${data.description} has no labelled training samples`,
      "A comparison needs labels: agreement with the dense network alone would favour what changes it least.",
    );
  }
  const engine = hostEngine({
    executor: options.executor ?? "wasm",
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.fast !== undefined && { fast: options.fast }),
  });
  return { graph, data, device, multiple: target.kernels.channelMultiple, engine };
}

interface Which {
  readonly criterion: string;
  readonly seed: number;
  readonly target: number;
}

function pruneOptions(options: CompareOptions, { device, multiple }: Setup, which: Which): PruneOptions {
  const { stages = "filters" } = options;
  return {
    // One budget for all: MACs. The rounds of the fine-tuning end after the first, since no accuracy is asked for.
    finalRounds: 1,
    // Every run comes to it in as many iterations, hence with as much recovery.
    pace: "target",
    ...options.pruning,
    maxDrop: 100,
    minSaving: 0,
    ...(stages === "filters" && { maxRemovals: 0 }),
    ...(stages === "layers" && { iterations: 0 }),
    criterion: which.criterion,
    target: { macs: which.target },
    seed: which.seed,
    profile: device,
    channelMultiple: multiple,
  };
}

/** One run, or its file where it is finished already. */
async function oneRun(
  options: CompareOptions,
  setup: Setup,
  folder: string,
  which: Which,
  dense: DensePackage,
  meter: ProgressMeter,
): Promise<CompareRun> {
  const { graph, data, engine } = setup;
  const given = pruneOptions(options, setup, which);
  const measure = options.measure !== false;
  const key = createHash("sha256")
    .update(runKey(graph, data, resolveOptions(given)))
    .update(String(measure))
    .digest("hex");
  const name = `${which.criterion}-${Math.round(1e4 * which.target)}-${which.seed}`;
  const file = path.join(folder, "runs", `${name}.json`);
  const known = options.resume ? await readRun(file, key) : null;
  if (known) return known;

  const result = await prune(graph, data, given, {
    engine,
    store: memoryStore(),
    hooks: { onTraining: (p) => meter.step(p.step, p.steps, `${Math.round(p.imagesPerSecond)} samples/s`) },
  });
  const hasTest = data.test?.labels && data.test.count > 0;
  const run: CompareRun = {
    ...which,
    macs: result.pruned.macs / result.dense.macs,
    recoveries: result.ledger.filter((e) => e.stage !== "final").length,
    predictedMs: result.pruned.predictedMs,
    validation: result.pruned.accuracy!,
    test: hasTest ? (await engine.evaluate(result.graph, data.test)).accuracy : null,
    measuredShare: measure
      ? await measuredShare(await dense.folder(), result.graph, path.join(folder, "runs", `.${name}`), options)
      : null,
  };
  await writeAtomically(file, `${JSON.stringify({ key, run }, null, 1)}\n`);
  return run;
}

async function readRun(file: string, key: string): Promise<CompareRun | null> {
  try {
    const found = JSON.parse(await readFile(file, "utf8")) as { key: string; run: CompareRun };
    return found.key === key ? found.run : null;
  } catch {
    return null;
  }
}

/** The package that every run is timed against: emitted when the first run needs it. */
interface DensePackage {
  folder(): Promise<string>;
  remove(): Promise<void>;
}

function densePackage(graph: Graph, folder: string): DensePackage {
  let emitted: Promise<unknown> | null = null;
  return {
    async folder() {
      await (emitted ??= emit(foldedGraph(graph), { out: folder, overwrite: true }));
      return folder;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Median time of the pruned package over that of the dense one, timed in turns. */
async function measuredShare(
  dense: string,
  pruned: Graph,
  work: string,
  { runs = 100 }: CompareOptions,
): Promise<number> {
  try {
    await emit(foldedGraph(pruned), { out: work });
    const measured = await measurePackages([dense, work], { runs });
    return 1 / measured[1]!.speedup!.median;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function sumUp(
  { graph, data, device, multiple, engine }: Setup,
  out: string,
  runs: readonly CompareRun[],
  criteria: readonly string[],
  macs: readonly number[],
): Promise<CompareResult> {
  const cost = costFigures(graph, { profile: device, channelMultiple: multiple });
  const hasTest = data.test?.labels && data.test.count > 0;
  const mean = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0) / values.length;
  const accuracy = (r: CompareRun): number => r.test ?? r.validation;
  const rows = macs.flatMap((target) => {
    const first = runs.filter((r) => r.target === target && r.criterion === criteria[0]);
    return criteria.map((criterion): CompareRow => {
      const own = runs.filter((r) => r.target === target && r.criterion === criterion);
      const tests = own.flatMap((r) => (r.test === null ? [] : [r.test]));
      const shares = own.flatMap((r) => (r.measuredShare === null ? [] : [r.measuredShare]));
      return {
        criterion,
        target,
        macs: mean(own.map((r) => r.macs)),
        predictedMs: mean(own.map((r) => r.predictedMs)),
        measuredShare: shares.length > 0 ? mean(shares) : null,
        validation: spreadOf(own.map((r) => r.validation)),
        test: tests.length > 0 ? spreadOf(tests) : null,
        behind:
          criterion === criteria[0] ? null : spreadOf(own.map((r, i) => 100 * (accuracy(first[i]!) - accuracy(r)))),
      };
    });
  });
  return {
    out,
    dense: {
      macs: cost.macs,
      predictedMs: cost.predictedMs,
      validation: (await engine.evaluate(graph, data.validation)).accuracy,
      test: hasTest ? (await engine.evaluate(graph, data.test)).accuracy : null,
    },
    runs,
    rows,
  };
}
