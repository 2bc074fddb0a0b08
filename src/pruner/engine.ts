import type { Split } from "../model/dataset.js";
import type { Graph } from "../model/types.js";
import { createExecutor } from "../host/executor.js";
import type { Executor } from "../host/executor-types.js";
import { evaluate, predict, type Evaluation } from "../host/evaluate.js";
import { lossGradients } from "../host/gradients.js";
import { reestimateBatchNorm } from "../host/batch-norm.js";
import { train, type TrainOptions } from "../host/train.js";

/**
 * The narrow seam between the pruner and whatever computes: an external trainer plugs in here.
 * Every method is a function of its arguments alone.
 */
export interface Engine {
  open(graph: Graph): Executor;
  train(graph: Graph, data: Split, options: TrainOptions): Promise<{ graph: Graph; losses: number[] }>;
  evaluate(graph: Graph, data: Split): Promise<Evaluation>;
  /** First output of every sample, count x width. */
  predict(graph: Graph, data: Split): Promise<Float32Array>;
  /** Mean gradient of the labels' cross entropy for every parameter, over the first `samples` samples. */
  gradients(graph: Graph, data: Split, samples: number): Promise<ReadonlyMap<string, Float32Array>>;
  /** Running statistics of every batch norm from `batches` batches of real data. */
  reestimate(graph: Graph, data: Split, batches: number): Promise<Graph>;
}

/** The built-in engine: our own executors and training loop. */
export function hostEngine(
  options: { executor?: "wasm" | "reference"; threads?: number; fast?: boolean } = {},
): Engine {
  const { executor = "wasm", threads, fast } = options;
  const common = { ...(threads !== undefined && { threads }), ...(fast !== undefined && { fast }) };
  return {
    open: (graph) => createExecutor(executor, graph, common),
    train: (graph, data, o) => train(graph, data, { ...common, ...o }),
    evaluate: (graph, data) => evaluate(graph, data, { ...common, executor }),
    predict: (graph, data) => predict(graph, data, { ...common, executor }),
    gradients: (graph, data, samples) => lossGradients(graph, data, { ...common, executor, samples }),
    reestimate: (graph, data, batches) => reestimateBatchNorm(graph, data, { ...common, batches }),
  };
}
