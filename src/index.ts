/**
 * The library: exactly what the commands call.
 *
 * ```ts
 * import { build } from "idap";
 *
 * const result = await build({ model: "resnet8.tflite", data: "cifar10", out: "out/resnet8", pruning: { maxDrop: 1 } });
 * console.log(result.accepted, result.macs, result.latency);
 * ```
 *
 * Errors that a user can cause are `IdapError`s with a code (docs/errors.md); anything else is a fault of idap.
 */

// Models: reading, writing, the graph itself.
export { readModel, writeModel, type ReadOptions, type WriteFormat } from "./formats/index.js";
export { GraphBuilder } from "./model/builder.js";
export { verify } from "./model/verify.js";
export { simulateQuantisation } from "./model/passes/simulate-quantisation.js";
export { loadGraph, saveGraph } from "./model/serialize.js";
export { IdapError } from "./model/errors.js";
export { Random } from "./model/random.js";
export type {
  Dtype,
  Graph,
  Node,
  Port,
  Quantisation,
  Shape,
  Tensor,
  TensorData,
  TensorRecord,
  TensorType,
  TensorValue,
} from "./model/types.js";

// Channels that belong together, and cutting them.
export { analyzeCoupling, type Atom, type CouplingResult, type Group } from "./model/coupling.js";
export { cutAtoms } from "./model/cut.js";

// Data sets.
export { checkFits, dataSetFrom, fitToModel, loadData, parseFeatures, parseNormalisation } from "./data/index.js";
export type { AudioFeatures, DataSet, GivenData, GivenSamples, LoadOptions, Normalisation } from "./data/index.js";
export { glyphs } from "./data/glyphs.js";
export type { Split } from "./model/dataset.js";

// Running and training on the host.
export { createExecutor, type Executor, type ExecutorOptions } from "./host/executor.js";
export { evaluate, predict } from "./host/evaluate.js";
export { train, type TrainOptions } from "./host/train.js";

// Cost, predicted time, scores.
export { graphCost, type GraphCost, type NodeCost } from "./analyzer/cost.js";
export { predictLatency, type LatencyPrediction } from "./analyzer/latency.js";
export { criterionNames } from "./analyzer/criterion-registry.js";

// Emitting a package, and the whole build.
export { emit, type EmitOptions, type EmitResult } from "./emit/index.js";
export { scalarModule } from "./wasm/index.js";
export { memoryPlanSvg } from "./build/index.js";
export { build, compare, loadDevice, loadTarget } from "./build/index.js";
export type { BuildOptions, BuildProgress, BuildResult, CompareOptions, CompareResult } from "./build/index.js";
export { defineConfig, type DataLoader, type IdapConfig, type LoaderContext } from "./build/config.js";
export { runDemo, type DemoOptions, type DemoResult } from "./build/demo.js";
export { renderReport, type ReportData } from "./report/index.js";
export type { DeviceProfile, Target } from "./model/device-profile.js";

// Packages: timing and checking.
export {
  measureIn,
  measurePackages,
  measureServed,
  profilePackage,
  verifyPackage,
  writeDeviceResults,
  writeMeasurements,
  type DeviceResult,
  type Runtime,
  type RuntimeOptions,
  type ServeEvent,
  type ServeOptions,
  type VerifyResult,
  type Measurement,
  type MeasureOptions,
  type Profile,
  type ProfileOptions,
} from "./measure/index.js";
