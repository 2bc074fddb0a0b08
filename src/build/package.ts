import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { emit, type EmitResult, type ModuleRunner } from "../emit/index.js";
import { onnxBytes } from "../formats/index.js";
import { writeMeasurements, type Measurement } from "../measure/index.js";
import { IdapError } from "../model/errors.js";
import { isStrict } from "../kernels/tiles.js";
import type { Graph } from "../model/types.js";
import { costFigures, foldedGraph } from "../pruner/context.js";
import type { Engine } from "../pruner/engine.js";
import type { PruneResult } from "../pruner/prune.js";
import { renderReport } from "../report/index.js";
import type { BuildInputs } from "./build.js";
import { moduleCorrect, moduleError, probes, rangeOf } from "./certify.js";
import { overBudget, timeHolders } from "./latency-budget.js";
import type { BuildPaths } from "./output.js";
import { pairedDifference } from "./paired.js";
import type { ProgressMeter } from "./progress.js";
import { reportData } from "./report-data.js";
import { timeOnDevice, type DeviceTimes } from "./time-on.js";
import type { BuildOptions, BuildResult, PackageBytes, TestReport } from "./types.js";

/** Samples on which the emitted module is compared with the host. */
const PROBES = 16;

/** A pruned package whose measured time is above this share of the dense one's is refused. */
const NOT_FASTER = 0.98;

/** Agreement between module and host that no build may miss; real networks are at 1e-6. */
const MAX_ERROR = 1e-4;

/** Emits the dense and the pruned network, certifies and measures them, and puts the package in its place. */
export async function packageStage(
  options: BuildOptions,
  paths: BuildPaths,
  inputs: BuildInputs,
  engine: Engine,
  pruning: PruneResult | null,
  meter: ProgressMeter,
): Promise<Omit<BuildResult, "seconds">> {
  const graph = foldedGraph(pruning?.graph ?? inputs.source);
  const denseDir = path.join(paths.work, `${paths.name}-dense`);
  const packageDir = path.join(paths.work, paths.name);
  await rm(paths.work, { recursive: true, force: true });
  await mkdir(paths.work, { recursive: true });
  try {
    meter.begin(pruning ? "compiling the pruned network" : "compiling", 0.025);
    const singleFile = options.singleFile ?? inputs.target.singleFile ?? false;
    const own = await certifiedEmit(graph, packageDir, paths.name, singleFile, inputs, engine, pruning);
    let other: Certified | null = null;
    if (pruning) {
      meter.begin("compiling the dense network", 0.025);
      other = await certifiedEmit(inputs.source, denseDir, `${paths.name}-dense`, singleFile, inputs, engine, null);
    }
    const dense = other?.emitted ?? null;
    meter.begin("testing", 0.02);
    const test = await testReport(inputs, engine, graph, pruning, own.module);

    let times: DeviceTimes | null = null;
    if (options.measure !== false) {
      meter.begin("measuring", 0.02);
      const dirs = dense ? [denseDir, packageDir] : [packageDir];
      times = await timeOnDevice(dirs, inputs.device, { runs: options.runs ?? 200 });
      writeMeasurements(packageDir, times.measured);
    }
    const measured = times?.measured ?? null;
    const result = summary({
      paths,
      inputs,
      graph,
      pruning,
      emitted: own.emitted,
      dense,
      maxError: own.maxError,
      denseMaxError: other?.maxError ?? null,
      test,
      times,
      budgetMs: options.pruning?.target?.ms ?? null,
    });
    const data = reportData(result, { source: inputs.source, graph, pruning, measured, emitted: own.emitted });
    await writeFile(path.join(packageDir, "report.html"), renderReport(data));

    await rm(paths.out, { recursive: true, force: true });
    await rename(packageDir, paths.out);
    return result;
  } finally {
    await rm(paths.work, { recursive: true, force: true });
  }
}

interface Certified {
  readonly emitted: EmitResult;
  readonly module: ModuleRunner;
  readonly maxError: number;
}

/** The package of a network, with its numbers compared with the host's before the passport is sealed. */
async function certifiedEmit(
  graph: Graph,
  out: string,
  name: string,
  singleFile: boolean,
  { source, sourceFact, target, device, data }: BuildInputs,
  engine: Engine,
  pruning: PruneResult | null,
): Promise<Certified> {
  const samples = data && data.calibration.count > 0 ? data.calibration : (data?.test ?? null);
  const inputs = probes(source, samples, PROBES);
  const attempt = async (winograd: "auto" | "off"): Promise<Certified> => {
    let module: ModuleRunner | undefined;
    let maxError = NaN;
    const emitted = await emit(graph, {
      out,
      name,
      variants: target.variants,
      singleFile,
      winograd,
      source: sourceFact,
      profile: { name: device.name, sha256: createHash("sha256").update(JSON.stringify(device)).digest("hex") },
      ...(pruning && { ledger: pruning.ledger }),
      extraFiles: { "model.onnx": onnxBytes(graph) },
      selfTestRange: rangeOf(inputs),
      async certify(runners) {
        // A strict variant: its bits, and with them this figure, are the same on every engine.
        module = runners.find((r) => isStrict(r.variant));
        if (!module) throw new IdapError("E_ENGINE", "this Node cannot run WebAssembly SIMD", "Use Node 20 or later.");
        const host = engine.open(graph);
        maxError = await moduleError(graph, host, module, inputs).finally(() => host.close());
        return maxError;
      },
    });
    return { emitted, module: module!, maxError };
  };
  let result = await attempt(device.winograd ?? "auto");
  // Winograd's method may be further off than that, within its bound, where values of very different sizes are neighbours.
  if (!(result.maxError <= MAX_ERROR) && result.emitted.passport.winograd.layers > 0) result = await attempt("off");
  if (!(result.maxError <= MAX_ERROR)) {
    throw new Error(`internal: the emitted module differs from the host by ${result.maxError} (relative)`);
  }
  return result;
}

/** The only look at the test split. */
async function testReport(
  { source, data }: BuildInputs,
  engine: Engine,
  graph: Graph,
  pruning: PruneResult | null,
  module: ModuleRunner,
): Promise<TestReport | null> {
  const test = data?.test;
  if (!test?.labels || test.count === 0) return null;
  const dense = await engine.evaluate(source, test);
  const pruned = pruning ? await engine.evaluate(graph, test) : dense;
  const right = moduleCorrect(graph, module, test);
  return {
    samples: test.count,
    dense: dense.accuracy,
    pruned: pruned.accuracy,
    emitted: right.reduce((s, v) => s + v, 0) / right.length,
    ...pairedDifference(dense.correct, pruned.correct),
  };
}

function summary(s: {
  paths: BuildPaths;
  inputs: BuildInputs;
  graph: Graph;
  pruning: PruneResult | null;
  emitted: EmitResult;
  dense: EmitResult | null;
  maxError: number;
  denseMaxError: number | null;
  test: TestReport | null;
  times: DeviceTimes | null;
  budgetMs: number | null;
}): Omit<BuildResult, "seconds"> {
  const { inputs, pruning, times, test, emitted, budgetMs } = s;
  const measured: readonly Measurement[] | null = times?.measured ?? null;
  const { source, device, target } = inputs;
  const counted = { profile: device, channelMultiple: target.kernels.channelMultiple };
  const before = costFigures(source, counted);
  const after = costFigures(s.graph, counted);
  const own = measured?.at(-1) ?? null;
  const other = measured && measured.length > 1 ? measured[0]! : null;
  const speedup = own?.speedup?.median ?? null;
  // A correction says what the pruned network takes; the dense one is predicted by the profile as it was measured.
  const densePredictedMs = before.predictedMs / (device.corrected ?? 1);
  const holders = timeHolders(s.graph, device);
  let reason = pruning?.reason ?? null;
  if (reason !== null && budgetMs !== null) reason += `; most of the time is in ${holders}`;
  if (reason === null && pruning && budgetMs !== null) {
    const measuredShare = times?.onDevice === true && speedup !== null ? 1 / speedup : null;
    const facts = { budgetMs, predictedMs: after.predictedMs, densePredictedMs, measuredShare };
    reason = overBudget(facts, device.name, pruning.options.maxDrop, holders);
  }
  if (reason === null && other && speedup !== null && 1 / speedup > NOT_FASTER) {
    const share = (100 * (1 - after.macs / before.macs)).toFixed(0);
    reason =
      `the pruned package is not faster here: ${own!.steady.p50.toFixed(3)} ms against ${other.steady.p50.toFixed(3)} ms dense, ` +
      `although ${share} % of the MACs are gone; most of the time is in ${holders}`;
  }
  const partBytes = ({ bytes }: EmitResult): PackageBytes => ({
    weights: bytes.weights,
    code: bytes.code.simd ?? bytes.code.scalar ?? 0,
    glue: bytes.glue,
    weightsBrotli: bytes.brotli.weights,
    codeBrotli: bytes.brotli.code.simd ?? bytes.brotli.code.scalar ?? 0,
    glueBrotli: bytes.brotli.glue,
  });
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
      ...partBytes(emitted),
      dense: s.dense ? partBytes(s.dense) : null,
    },
    arenaBytes: emitted.arenaBytes,
    denseArenaBytes: s.dense?.arenaBytes ?? null,
    latency: {
      device: device.name,
      predictedMs: after.predictedMs,
      densePredictedMs,
      interval: [after.predictedMs * device.error.low, after.predictedMs * device.error.high],
      budgetMs,
      corrected: device.corrected ?? null,
      measuredMs: own?.steady.p50 ?? null,
      denseMs: other?.steady.p50 ?? null,
      speedup,
      measuredOn: times?.engine ?? null,
      onDevice: times?.onDevice ?? false,
    },
    maxError: s.maxError,
    denseMaxError: s.denseMaxError,
    ledger: pruning?.ledger ?? [],
    run: pruning ? s.paths.run : null,
  };
}
