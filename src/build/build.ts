import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fitToModel, loadData, sampleShapeOf, type DataSet, type LoadOptions } from "../data/index.js";
import { readModel } from "../formats/index.js";
import type { DeviceProfile, Target } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import type { Graph } from "../model/types.js";
import { folderStore } from "../pruner/checkpoint.js";
import { continuedState } from "../pruner/continue.js";
import { hostEngine, type Engine } from "../pruner/engine.js";
import { resolveOptions, type PruneOptions } from "../pruner/options.js";
import { prune, runKey, type PruneResult } from "../pruner/prune.js";
import { correctedProfile, correction } from "./latency-budget.js";
import { buildPaths, type BuildPaths } from "./output.js";
import { packageStage } from "./package.js";
import { ProgressMeter } from "./progress.js";
import { rememberingEngine } from "./remembering-engine.js";
import { sweptSteps, writeSweep, type SweptBuild } from "./sweep.js";
import { loadDevice, loadTarget } from "./targets.js";
import type { BuildOptions, BuildResult, DeviceBudget, DevicesResult } from "./types.js";

/** What a build starts from. */
export interface BuildInputs {
  readonly source: Graph;
  /** Bytes of the model file, and its name and hash for the passport. */
  readonly sourceBytes: number;
  readonly sourceFact: { readonly file: string; readonly sha256: string };
  readonly target: Target;
  readonly device: DeviceProfile;
  readonly data: DataSet | null;
}

/**
 * One build: read → prune → emit → certify → measure → package.
 *
 * Same model, data, options, seed and device profile give the same bytes in the package, `measurements.json` and the
 * report's timings apart: nothing that is measured here decides anything but the verdict.
 * The package appears in `out` complete or not at all.
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  const started = performance.now();
  const meter = new ProgressMeter(options.onProgress);
  const paths = buildPaths(options.out);
  const inputs = await readInputs(options, meter);
  const { result, steps } = await stages(options, paths, inputs, engineOf(options), meter);
  if (options.sweep) await writeSweep(paths.out, [{ result, steps }]);
  meter.end();
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

/**
 * One package for each device, in a folder of its name in `out`: from one model, one set of samples and one engine that
 * remembers what it computed of the dense network.
 */
export async function buildForDevices(
  options: Omit<BuildOptions, "device">,
  devices: readonly DeviceBudget[],
): Promise<DevicesResult> {
  const names = devices.map(({ device }) => path.basename(device, ".json"));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new IdapError("E_OPTION", `the device ${twice} is named twice`);
  const each = devices.map(({ device, ms }, i): BuildOptions => {
    const target = { ...options.pruning?.target, ...(ms !== undefined && { ms }) };
    return { ...options, device, out: path.join(options.out, names[i]!), pruning: { ...options.pruning, target } };
  });
  const paths = each.map(({ out }) => buildPaths(out));
  // Every device is known before anything is read.
  each.slice(1).forEach((o) => deviceOf(o, loadTarget(o.target ?? "wasm")));
  const readMeter = new ProgressMeter(options.onProgress);
  const inputs = await readInputs(each[0]!, readMeter);
  const engine = rememberingEngine(engineOf(options));
  const built: SweptBuild[] = [];
  const results: BuildResult[] = [];
  for (const [i, o] of each.entries()) {
    const started = performance.now();
    const meter = new ProgressMeter(options.onProgress);
    const own = { ...inputs, device: deviceOf(o, inputs.target) };
    built.push(await stages(o, paths[i]!, own, engine, meter));
    meter.end();
    results.push({ ...built.at(-1).result, seconds: (performance.now() - started) / 1000 });
  }
  if (options.sweep) await writeSweep(options.out, built);
  return { accepted: results.every((r) => r.accepted), devices: results };
}

const engineOf = (options: Pick<BuildOptions, "executor" | "threads" | "fast">): Engine =>
  hostEngine({
    executor: options.executor ?? "wasm",
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.fast !== undefined && { fast: options.fast }),
  });

/** The corrected profile, in the run folder: a build with it predicts as this one does. */
const CORRECTED = "profile.json";

/** Corrections of the profile by what was measured, each of which goes on where the one before ended. */
const MOST_CORRECTIONS = 3;

/**
 * Prune, emit, measure; and where the measured package is slower than its budget although it was predicted inside:
 * correct the profile, go on pruning from the last accepted network, measure again.
 */
async function stages(
  options: BuildOptions,
  paths: BuildPaths,
  given: BuildInputs,
  engine: Engine,
  meter: ProgressMeter,
): Promise<SweptBuild> {
  let inputs = given;
  const file = path.join(paths.run, CORRECTED);
  // A run that was interrupted after a correction goes on by the corrected profile.
  if (options.resume && existsSync(file)) inputs = { ...inputs, device: loadDevice(file) };
  for (let round = 0; ; round++) {
    const resume = options.resume === true || round > 0;
    const pruning =
      options.prune === false ? null : await pruneStage({ ...options, resume }, paths, inputs, engine, meter);
    const result = await packageStage(options, paths, inputs, engine, pruning, meter);
    const done = { result, steps: pruning ? sweptSteps(pruning) : [] };
    const { budgetMs, predictedMs, densePredictedMs, onDevice, speedup } = result.latency;
    if (!pruning || budgetMs === null || !onDevice || speedup === null || pruning.reason !== null) return done;
    const factor = correction({ budgetMs, predictedMs, densePredictedMs, measuredShare: 1 / speedup });
    if (factor === null || round === MOST_CORRECTIONS) return done;
    inputs = { ...inputs, device: correctedProfile(inputs.device, factor) };
    const store = await folderStore(paths.run, { resume: true });
    const key = runKey(given.source, given.data!, resolveOptions(pruneOptions(options, inputs)));
    await writeFile(file, `${JSON.stringify(inputs.device, null, 2)}\n`);
    await store.save(continuedState((await store.load())!, key, factor));
  }
}

const pruneOptions = (options: BuildOptions, { device, target }: BuildInputs): PruneOptions => ({
  ...options.pruning,
  seed: options.seed ?? 0,
  profile: device,
  channelMultiple: target.kernels.channelMultiple,
});

/** The profile that a build decides by. */
function deviceOf(options: Pick<BuildOptions, "device" | "winograd">, target: Target): DeviceProfile {
  const profile = loadDevice(options.device ?? target.defaultDevice);
  // What is not emitted must not be predicted to gain.
  return options.winograd === "off" || target.winograd === "off" ? { ...profile, winograd: "off" } : profile;
}

async function readInputs(options: BuildOptions, meter: ProgressMeter): Promise<BuildInputs> {
  const target = loadTarget(options.target ?? "wasm");
  const device = deviceOf(options, target);
  if (options.prune !== false) {
    // Wrong options are reported before anything is read.
    resolveOptions({ ...options.pruning, seed: options.seed ?? 0, profile: device, channelMultiple: 1 });
  }
  meter.begin("reading the model", 0.005);
  const source = await readModel(options.model, {
    ...options.read,
    onProgress(fraction) {
      meter.step(Math.round(100 * fraction), 100);
      options.read?.onProgress?.(fraction);
    },
  });
  const { bytes, sha256 } = await fileFacts(options.model);
  if (options.prune !== false && options.data === undefined) {
    throw new IdapError(
      "E_DATA",
      "pruning needs samples of what the model is for",
      "Give a folder with --data, or build the model as it is with --no-prune.",
    );
  }
  let data: DataSet | null = null;
  if (options.data !== undefined) {
    meter.begin("reading the data", 0.005);
    const given = options.data;
    const read = typeof given === "string" ? await loadData(given, loadOptionsFor(source, options)) : given;
    data = fitToModel(read, source);
    if (options.prune !== false && data.train.count === 0) {
      throw new IdapError(
        "E_DATA",
        `${typeof given === "string" ? given : given.description} has test samples only`,
        "Pruning needs training samples.",
      );
    }
  }
  return {
    source,
    sourceBytes: bytes,
    sourceFact: { file: path.basename(options.model), sha256 },
    target,
    device,
    data,
  };
}

/** Options of the data's reader: what files leave open is as the model wants it. */
export function loadOptionsFor(graph: Graph, options: Pick<BuildOptions, "load" | "seed">): LoadOptions {
  const sampleShape = sampleShapeOf(graph);
  return { ...(sampleShape && { sampleShape }), ...options.load, seed: options.seed ?? 0 };
}

/** Size and hash of a model; a TensorFlow.js model is its JSON with all .bin files beside it. */
async function fileFacts(model: string): Promise<{ bytes: number; sha256: string }> {
  const file = (await stat(model)).isDirectory() ? path.join(model, "model.json") : model;
  const folder = path.dirname(file);
  const files = [file];
  if (file.endsWith(".json")) {
    const shards = (await readdir(folder)).filter((f) => f.endsWith(".bin")).sort();
    files.push(...shards.map((f) => path.join(folder, f)));
  }
  const hash = createHash("sha256");
  let bytes = 0;
  for (const f of files) {
    const content = await readFile(f);
    hash.update(content);
    bytes += content.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Rounds of fine-tuning that most builds need; the progress bar counts on them. */
const EXPECTED_ROUNDS = 3;

async function pruneStage(
  options: BuildOptions,
  paths: BuildPaths,
  inputs: BuildInputs,
  engine: Engine,
  meter: ProgressMeter,
): Promise<PruneResult> {
  const { source, data } = inputs;
  const given = pruneOptions(options, inputs);
  const resolved = resolveOptions(given);
  // Shares of the whole: training dominates, so stages are counted in samples that are trained on.
  const { iterations } = resolved;
  const cheap = resolved.oneShot ? 0.1 : 1;
  const filter = cheap * Math.max(0.2, resolved.recoveryEpochs) * Math.min(resolved.recoverySamples, data!.train.count);
  const layer = cheap * resolved.layerSteps * resolved.batch;
  const final = cheap * Math.max(0.2, resolved.finalEpochs) * data!.train.count;
  const tries = resolved.patience + 1;
  const rounds = Math.min(EXPECTED_ROUNDS, resolved.finalRounds);
  const total = tries * layer + iterations * filter + rounds * final;
  const before = 0.04;
  const share = (samples: number): number => (0.86 * Math.min(samples, total)) / total;
  const store = await folderStore(paths.run, { resume: options.resume === true });
  return prune(source, data!, given, {
    engine,
    store,
    hooks: {
      onProgress(message, state) {
        if (!state) return meter.begin(message, 0.03);
        const tried = state.ledger.filter((e) => e.stage === "layers").length;
        const past = {
          layers: tried * layer,
          filters: tries * layer + state.filters.t * filter,
          final: total - Math.max(1, rounds - state.tries.length) * final,
          done: total,
        };
        meter.at(before + share(past[state.phase]));
        meter.begin(message, share({ filters: filter, layers: layer, final, done: 0 }[state.phase]));
      },
      onTraining: (p) =>
        meter.step(p.step, p.steps, `loss ${p.loss.toFixed(3)}, ${Math.round(p.imagesPerSecond)} samples/s`),
      ...(options.onEntry && { onEntry: options.onEntry }),
    },
  });
}
