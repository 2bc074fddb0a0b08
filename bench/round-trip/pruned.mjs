// A ResNet-8 that this project's pruner has pruned: the package that a build left, and the networks that belong to it.
import { readFileSync } from "node:fs";
import path from "node:path";

/** Images that the build sees: enough for scores and statistics, few enough for seconds. */
const TRAINING = 2000;
const VALIDATION = 500;
/** Images that the written files are run on. */
const CASES = 8;
/** Layers and channels have to go, not accuracy to stay. */
const PRUNING = { oneShot: true, maxDrop: 60, target: { macs: 0.6 }, sensitivitySamples: 64 };

const first = (split, count) => ({
  name: split.name,
  count: Math.min(count, split.count),
  shape: split.shape,
  labels: split.labels?.subarray(0, count) ?? null,
  classes: split.classes,
  read: (indices, out) => split.read(indices, out),
});

/** Builds MLPerf Tiny's ResNet-8 on a part of CIFAR-10, without training; returns the folder of the package. */
export async function buildPruned(library, shared, work) {
  const data = await library.loadData(path.join(shared, "cifar10"), { seed: 0 });
  const result = await library.build({
    model: path.join(shared, "models/mlperf-tiny/pretrainedResnet.tflite"),
    out: path.join(work, "pruned"),
    data: { ...data, train: first(data.train, TRAINING), validation: first(data.validation, VALIDATION) },
    measure: false,
    pruning: PRUNING,
  });
  if (!(result.macs.pruned < result.macs.dense)) throw new Error(`nothing was pruned: ${result.reason}`);
  return result.package;
}

/**
 * The network of a package, as it is trained (batch norms apart) and as it is emitted: read from the run folder beside
 * the package and from its model.onnx.
 */
export async function networksOf(library, folder) {
  const run = path.join(path.dirname(folder), `.idap-run-${path.basename(folder)}`);
  const { tries } = JSON.parse(readFileSync(path.join(run, "state.json"), "utf8"));
  const best = tries.find((t) => t.within) ?? tries.sort((a, b) => b.figures.accuracy - a.figures.accuracy)[0];
  return {
    trained: await library.loadGraph(path.join(run, best.graph)),
    emitted: await library.readModel(path.join(folder, "model.onnx")),
  };
}

/** Test images of CIFAR-10, one each. */
export async function imageCases(library, shared) {
  const { test } = await library.loadData(path.join(shared, "cifar10"), { seed: 0 });
  return Array.from({ length: CASES }, (_, i) => {
    const data = new Float32Array(test.shape.reduce((n, d) => n * d, 1));
    test.read([i], data);
    return { inputs: [{ data, shape: [1, ...test.shape], dtype: "f32" }] };
  });
}
