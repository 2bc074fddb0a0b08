/** Gradients of the loss over a data set, for criteria that ask what a weight is worth. */
import type { Split } from "../model/dataset.js";
import { IdapError } from "../model/errors.js";
import { parameterNames, tensorOf } from "../model/graph.js";
import { sizeOf, type Graph } from "../model/types.js";
import { differentiate } from "./autodiff.js";
import { createExecutor } from "./executor.js";
import type { ExecutorOptions } from "./executor-types.js";
import { addLoss, TARGET } from "./losses.js";
import { requireFit } from "./samples.js";

export interface GradientOptions extends ExecutorOptions {
  /** Default "wasm". */
  readonly executor?: "wasm" | "reference";
  /** Samples at most, from the first on. */
  readonly samples?: number;
}

/** Samples of one pass: all its activations are in memory at once. */
const CHUNK = 32;

/**
 * Mean over samples of the gradient of the labels' cross entropy with respect to every f32 parameter, by tensor name.
 * Batch norms use their running statistics. Parameters that the loss does not depend on are absent.
 */
export async function lossGradients(
  graph: Graph,
  data: Split,
  options: GradientOptions = {},
): Promise<Map<string, Float32Array>> {
  const { executor: id = "wasm", samples, ...rest } = options;
  requireFit(graph, data);
  const { labels, classes } = data;
  const count = Math.min(samples ?? data.count, data.count);
  if (!labels || count === 0) {
    throw new IdapError(
      "E_LABELS",
      `gradients of the loss need labelled samples, "${data.name}" has ${labels ? "no samples" : "no labels"}`,
      "Give labels, or choose a criterion that needs none, such as divergence.",
    );
  }
  const { graph: withLoss, loss } = addLoss(graph, classes, { loss: { labels: 1 } });
  const wanted = parameterNames(graph).filter((name) => tensorOf(graph, name).type.dtype === "f32");
  const { graph: backward, gradients } = differentiate(withLoss, loss, wanted);
  const ports = [...new Set(gradients.values())].map((tensor) => ({ name: tensor, tensor }));
  const executor = createExecutor(id, { ...backward, outputs: ports }, rest);
  const sums = new Map(
    [...gradients.keys()].map((name) => [name, new Float64Array(sizeOf(tensorOf(graph, name).type.shape))]),
  );
  try {
    for (let first = 0; first < count; first += CHUNK) {
      const n = Math.min(CHUNK, count - first);
      const indices = Int32Array.from({ length: n }, (_, i) => first + i);
      const values = new Float32Array(n * sizeOf(data.shape));
      data.read(indices, values);
      const target = new Float32Array(n * classes);
      indices.forEach((sample, i) => (target[i * classes + labels[sample]!] = 1));
      const result = await executor.run({
        [graph.inputs[0]!.name]: { data: values, shape: [n, ...data.shape], dtype: "f32" },
        [TARGET]: { data: target, shape: [n, classes], dtype: "f32" },
      });
      for (const [name, tensor] of gradients) {
        const sum = sums.get(name)!;
        const part = result[tensor]!.data as Float32Array;
        for (let i = 0; i < sum.length; i++) sum[i]! += part[i]! * n; // the loss is a mean over the chunk
      }
    }
  } finally {
    await executor.close();
  }
  return new Map([...sums].map(([name, sum]) => [name, Float32Array.from(sum, (s) => s / count)]));
}
