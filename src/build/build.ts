import { createHash } from "node:crypto";
import { readFile, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { fitToModel, loadData, sampleShapeOf, type DataSet, type LoadOptions } from "../data/index.js";
import { readModel } from "../formats/index.js";
import type { DeviceProfile, Target } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import type { Graph } from "../model/types.js";
import { folderStore } from "../pruner/checkpoint.js";
import { hostEngine, type Engine } from "../pruner/engine.js";
import { resolveOptions } from "../pruner/options.js";
import { prune, type PruneResult } from "../pruner/prune.js";
import { buildPaths, type BuildPaths } from "./output.js";
import { packageStage } from "./package.js";
import { ProgressMeter } from "./progress.js";
import { loadDevice, loadTarget } from "./targets.js";
import type { BuildOptions, BuildResult } from "./types.js";

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
  const engine = hostEngine({
    executor: options.executor ?? "wasm",
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.fast !== undefined && { fast: options.fast }),
  });
  const pruning = options.prune === false ? null : await pruneStage(options, paths, inputs, engine, meter);
  const result = await packageStage(options, paths, inputs, engine, pruning, meter);
  meter.end();
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

async function readInputs(options: BuildOptions, meter: ProgressMeter): Promise<BuildInputs> {
  const target = loadTarget(options.target ?? "wasm");
  const profile = loadDevice(options.device ?? target.defaultDevice);
  // What is not emitted must not be predicted to gain.
  const device: DeviceProfile = options.winograd === "off" ? { ...profile, winograd: "off" } : profile;
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
  { source, target, device, data }: BuildInputs,
  engine: Engine,
  meter: ProgressMeter,
): Promise<PruneResult> {
  const given = {
    ...options.pruning,
    seed: options.seed ?? 0,
    profile: device,
    channelMultiple: target.kernels.channelMultiple,
  };
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
