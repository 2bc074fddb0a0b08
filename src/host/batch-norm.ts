/** Re-estimating the statistics of batch norms, after pruning has changed what reaches them. */
import type { Split } from "../model/dataset.js";
import { IdapError } from "../model/errors.js";
import { withConstants } from "../model/graph.js";
import type { Graph, TensorData } from "../model/types.js";
import { withBatchStatistics, varianceOf } from "./batch-statistics.js";
import { createExecutor } from "./executor.js";
import { requireFit } from "./samples.js";

export interface ReestimateOptions {
  /** Batches to average over. */
  readonly batches: number;
  /** Samples of a batch. Default 128; at most the samples there are. */
  readonly batch?: number;
  /** Accepted like everywhere; a batch is normalised as a whole, so one thread runs it. */
  readonly threads?: number;
  readonly fast?: boolean;
}

/**
 * The graph with mean and variance of every batch norm measured anew, on the first `batches` batches of `data`, with every
 * layer normalised by its batch. The variance is that of all samples together: mean of the variances plus variance of the
 * means.
 */
export async function reestimateBatchNorm(graph: Graph, data: Split, options: ReestimateOptions): Promise<Graph> {
  const { graph: learning, norms } = withBatchStatistics(graph, () => true);
  if (norms.length === 0) return graph;
  requireFit(graph, data);
  const batch = Math.min(options.batch ?? 128, data.count);
  const batches = Math.min(options.batches, Math.floor(data.count / Math.max(1, batch)));
  if (!(batches >= 1)) {
    throw new IdapError(
      "E_DATA",
      `re-estimating batch norms needs at least one batch, got ${options.batches} of ${data.count} samples`,
    );
  }
  const tensors = norms.flatMap(({ mean, invStd }) => [mean, invStd]);
  const last = norms[norms.length - 1]!;
  // Nothing after the last norm is needed.
  const outputs = [{ name: last.mean, tensor: last.mean }];
  const executor = createExecutor(
    "wasm",
    { ...learning, outputs },
    options.fast === undefined ? {} : { fast: options.fast },
  );
  const sums = new Map<string, Float64Array>();
  const add = (name: string, values: ArrayLike<number>, term: (v: number, i: number) => number): void => {
    const sum = sums.get(name) ?? new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) sum[i]! += term(values[i]!, i) / batches;
    sums.set(name, sum);
  };
  try {
    const values = new Float32Array(batch * data.shape.reduce((n, d) => n * d, 1));
    for (let b = 0; b < batches; b++) {
      data.read(
        Int32Array.from({ length: batch }, (_, i) => b * batch + i),
        values,
      );
      const input = { data: values, shape: [batch, ...data.shape], dtype: "f32" as const };
      const got = await executor.observe({ [graph.inputs[0]!.name]: input }, tensors);
      for (const norm of norms) {
        const mean = got.get(norm.mean)!.data as Float32Array;
        const invStd = got.get(norm.invStd)!.data as Float32Array;
        add(norm.mean, mean, (m) => m);
        add(norm.invStd, invStd, (r, i) => varianceOf(r, norm.epsilon) + mean[i]! ** 2);
      }
    }
  } finally {
    await executor.close();
  }
  const constants = new Map<string, TensorData>();
  for (const norm of norms) {
    const mean = sums.get(norm.mean)!;
    constants.set(norm.runningMean, Float32Array.from(mean));
    constants.set(
      norm.runningVariance,
      Float32Array.from(sums.get(norm.invStd)!, (s, i) => Math.max(0, s - mean[i]! ** 2)),
    );
  }
  return withConstants(graph, constants);
}
