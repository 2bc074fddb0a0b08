import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { predictLatency } from "../analyzer/latency.js";
import { graphCost } from "../analyzer/cost.js";
import { fitToModel, loadData, type DataSet } from "../data/index.js";
import { emit, type EmitResult } from "../emit/index.js";
import { readModel, writeModel } from "../formats/index.js";
import { brotliSizes } from "../measure/sizes.js";
import { measurePackages, type Measurement } from "../measure/measure.js";
import type { DeviceProfile, Target } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import type { Graph } from "../model/types.js";
import { folderStore } from "../pruner/checkpoint.js";
import { costFigures, foldedGraph } from "../pruner/context.js";
import { hostEngine, type Engine } from "../pruner/engine.js";
import { resolveOptions } from "../pruner/options.js";
import { prune, type PruneResult } from "../pruner/prune.js";
import { renderReport } from "../report/index.js";
import { loadPackage, packageCorrect, packageError, probes } from "./certify.js";
import { buildPaths, type BuildPaths } from "./output.js";
import { pairedDifference } from "./paired.js";
import { ProgressMeter } from "./progress.js";
import { reportData } from "./report-data.js";
import { loadDevice, loadTarget } from "./targets.js";
import type { BuildOptions, BuildResult, TestReport } from "./types.js";

/** Samples on which the emitted module is compared with the host. */
const PROBES = 16;

/** A pruned package whose measured time is not below this share of the dense one's is refused. */
const NOT_FASTER = 0.98;

interface Inputs {
  readonly source: Graph;
  readonly sourceBytes: number;
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
  const pruned = options.prune === false ? null : await pruneStage(options, paths, inputs, engine, meter);
  const result = await packageStage(options, paths, inputs, engine, pruned, meter);
  meter.at(1);
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

async function readInputs(options: BuildOptions, meter: ProgressMeter): Promise<Inputs> {
  const target = loadTarget(options.target ?? "wasm");
  const device = loadDevice(options.device ?? target.defaultDevice);
  if (options.prune !== false) {
    // Wrong options are reported before anything is read.
    resolveOptions({ ...options.pruning, seed: options.seed ?? 0, profile: device, channelMultiple: 1 });
    if (options.data === undefined) {
      throw new IdapError(
        "E_DATA",
        "pruning needs samples of what the model is for",
        "Give a folder with --data, or build the model as it is with --no-prune.",
      );
    }
  }
  meter.begin("reading the model", 0.01);
  const source = await readModel(options.model);
  const { size } = await stat(options.model);
  let data: DataSet | null = null;
  if (options.data !== undefined) {
    meter.begin("reading the data", 0.01);
    data = fitToModel(await loadData(options.data, { ...options.load, seed: options.seed ?? 0 }), source);
    if (options.prune !== false && data.train.count === 0) {
      throw new IdapError("E_DATA", `${options.data} has test samples only`, "Pruning needs training samples.");
    }
  }
  return { source, sourceBytes: size, target, device, data };
}

async function pruneStage(
  options: BuildOptions,
  paths: BuildPaths,
  { source, target, device, data }: Inputs,
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
  // Shares of the whole: training dominates; one iteration, one try of stage 2 and the final run in epochs.
  const epochs = resolved.oneShot
    ? { filter: 0.2, layer: 0.2, final: 0.2 }
    : { filter: resolved.recoveryEpochs, layer: 0.7, final: resolved.finalEpochs };
  const tries = resolved.patience + 1;
  const total = resolved.iterations * epochs.filter + tries * epochs.layer + epochs.final;
  const training = 0.85;
  const before = 0.04;
  const store = await folderStore(paths.run, { resume: options.resume === true });
  return prune(source, { ...data!, hash: data!.hash }, given, {
    engine,
    store,
    hooks: {
      onProgress(message, state) {
        const phase = state?.phase;
        const done =
          phase === "layers"
            ? resolved.iterations * epochs.filter + state!.ledger.filter((e) => e.stage === "layers").length * epochs.layer
            : phase === "final"
              ? total - epochs.final
              : (state?.filters.t ?? 0) * epochs.filter;
        if (state) meter.at(before + (training * Math.min(done, total)) / total);
        const weight = phase === "filters" ? epochs.filter : phase === "layers" ? epochs.layer : phase ? epochs.final : 0;
        meter.begin(message, (training * weight) / total);
      },
      onTraining: (p) =>
        meter.step(p.step, p.steps, `loss ${p.loss.toFixed(3)}, ${Math.round(p.imagesPerSecond)} samples/s`),
      ...(options.onEntry && { onEntry: options.onEntry }),
    },
  });
}

async function packageStage(
  options: BuildOptions,
  paths: BuildPaths,
  inputs: Inputs,
  engine: Engine,
  pruning: PruneResult | null,
  meter: ProgressMeter,
): Promise<Omit<BuildResult, "seconds">> {
  const { source, target, device, data } = inputs;
  const multiple = target.kernels.channelMultiple;
  const graph = foldedGraph(pruning?.graph ?? source);
  const work = path.join(path.dirname(paths.out), `.idap-package-${paths.name}`);
  const denseDir = path.join(work, "dense");
  const packageDir = path.join(work, "package");
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    meter.begin("compiling", 0.05);
    const common = { variants: target.variants, profile: device, overwrite: true };
    const emitted: EmitResult = await emit(graph, {
      ...common,
      out: packageDir,
      name: paths.name,
      ...(pruning && { ledger: pruning.ledger }),
    });
    const dense = pruning ? await emit(source, { ...common, out: denseDir, name: `${paths.name}-dense` }) : null;
    await writeModel(graph, path.join(packageDir, "model.onnx"), "onnx");

    meter.begin("certifying", 0.02);
    const loaded = await loadPackage(packageDir);
    const samples = data && data.calibration.count > 0 ? data.calibration : (data?.test ?? null);
    const host = engine.open(graph);
    const maxError = await packageError(graph, host, loaded, probes(graph, samples, PROBES)).finally(() => host.close());
    const test = await testReport(inputs, engine, graph, pruning, loaded);

    let measured: Measurement[] | null = null;
    if (options.measure !== false) {
      meter.begin("measuring", 0.03);
      measured = await measurePackages(dense ? [denseDir, packageDir] : [packageDir], { runs: options.runs ?? 200 });
    }
    const own = measured?.at(-1) ?? null;
    const result = summary({ options, paths, inputs, graph, pruning, emitted, dense, maxError, test, measured, packageDir, denseDir });
    if (own) {
      await writeFile(path.join(packageDir, "measurements.json"), `${JSON.stringify(measurementsOf(measured!), null, 2)}\n`);
    }
    const report = renderReport(reportData(result, { source, graph, pruning, measured, multiple, device }));
    await writeFile(path.join(packageDir, "report.html"), report);

    await rm(paths.out, { recursive: true, force: true });
    await mkdir(path.dirname(paths.out), { recursive: true });
    await rename(packageDir, paths.out);
    return result;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What goes into measurements.json: names instead of folders, which are temporary. */
function measurementsOf(measured: readonly Measurement[]): unknown {
  return { measuredAt: new Date().toISOString(), packages: measured.map(({ dir: _, ...m }) => m) };
}

async function testReport(
  { source, data }: Inputs,
  engine: Engine,
  graph: Graph,
  pruning: PruneResult | null,
  loaded: Awaited<ReturnType<typeof loadPackage>>,
): Promise<TestReport | null> {
  const test = data?.test;
  if (!test?.labels || test.count === 0) return null;
  const dense = await engine.evaluate(source, test);
  const pruned = pruning ? await engine.evaluate(graph, test) : dense;
  const right = packageCorrect(graph, loaded, test);
  return {
    samples: test.count,
    dense: dense.accuracy,
    pruned: pruned.accuracy,
    emitted: right.reduce((s, v) => s + v, 0) / right.length,
    ...pairedDifference(dense.correct, pruned.correct),
  };
}

function summary(s: {
  options: BuildOptions;
  paths: BuildPaths;
  inputs: Inputs;
  graph: Graph;
  pruning: PruneResult | null;
  emitted: EmitResult;
  dense: EmitResult | null;
  maxError: number;
  test: TestReport | null;
  measured: readonly Measurement[] | null;
  packageDir: string;
  denseDir: string;
}): Omit<BuildResult, "seconds"> {
  const { inputs, pruning, measured, test } = s;
  const { target, device } = inputs;
  const multiple = target.kernels.channelMultiple;
  const before = costFigures(inputs.source, { profile: device, channelMultiple: multiple });
  const after = costFigures(s.graph, { profile: device, channelMultiple: multiple });
  const own = measured?.at(-1) ?? null;
  const other = measured && measured.length > 1 ? measured[0]! : null;
  const speedup = own?.speedup?.median ?? null;
  let reason = pruning?.reason ?? null;
  if (reason === null && speedup !== null && 1 / speedup > NOT_FASTER) {
    reason =
      `the pruned package is not faster here: ${own!.steady.p50.toFixed(3)} ms against ${other!.steady.p50.toFixed(3)} ms dense, ` +
      `although ${(100 * (1 - after.macs / before.macs)).toFixed(0)} % of the MACs are gone`;
  }
  return {
    accepted: reason === null,
    ...(reason !== null && { reason }),
    package: s.paths.out,
    name: s.paths.name,
    metric:
      pruning && pruning.dense.accuracy !== null
        ? {
            name: pruning.metric,
            dense: pruning.dense.accuracy,
            pruned: pruning.pruned.accuracy ?? NaN,
            emitted: test?.emitted ?? null,
          }
        : null,
    maxDropPoints: pruning ? pruning.options.maxDrop : null,
    test,
    macs: { dense: before.macs, pruned: after.macs },
    params: { dense: before.params, pruned: after.params },
    bytes: {
      source: inputs.sourceBytes,
      ...sizes(s.packageDir),
      dense: s.dense ? withoutBrotli(sizes(s.denseDir)) : null,
    },
    arenaBytes: s.emitted.arenaBytes,
    latency: {
      device: device.name,
      predictedMs: after.predictedMs,
      densePredictedMs: before.predictedMs,
      measuredMs: own?.steady.p50 ?? null,
      denseMs: other?.steady.p50 ?? null,
      speedup,
    },
    maxError: s.maxError,
    ledger: pruning?.ledger ?? [],
    run: pruning ? s.paths.run : null,
  };
}

type Sizes = Omit<BuildResult["bytes"], "source" | "dense">;

/** Bytes of a package; code is the `simd` variant, the one that every engine can load. */
function sizes(dir: string): Sizes {
  const files = new Map(brotliSizes(dir).map((f) => [f.file, f]));
  const code = files.get("model.simd.wasm");
  const weights = files.get("weights.bin");
  const glue = files.get("index.js");
  return {
    weights: weights?.bytes ?? 0,
    code: code?.bytes ?? 0,
    glue: glue?.bytes ?? 0,
    weightsBrotli: weights?.brotli ?? 0,
    codeBrotli: code?.brotli ?? 0,
    glueBrotli: glue?.brotli ?? 0,
  };
}

const withoutBrotli = ({ weights, code, glue }: Sizes): { weights: number; code: number; glue: number } => ({ weights, code, glue });
