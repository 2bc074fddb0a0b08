/** Running a model over a data set: outputs, accuracy, loss. */
import type { Split } from "../model/dataset.js";
import { GraphBuilder } from "../model/builder.js";
import { IdapError } from "../model/errors.js";
import { typeOf } from "../model/graph.js";
import { sizeOf, type Graph } from "../model/types.js";
import { createExecutor } from "./executor.js";
import type { ExecutorOptions } from "./executor-types.js";
import { logitsOf } from "./losses.js";
import { requireFit } from "./samples.js";

export interface EvaluateOptions extends ExecutorOptions {
  /** Default "wasm". */
  readonly executor?: "wasm" | "reference";
}

export interface Evaluation {
  /** Share of samples whose largest output is their label, in 0..1. */
  readonly accuracy: number;
  /** Mean cross entropy with the labels. */
  readonly loss: number;
  /** 1 where the sample was right. */
  readonly correct: Uint8Array;
}

/** The first output for every sample, count x outputs. */
export async function predict(graph: Graph, data: Split, options: EvaluateOptions = {}): Promise<Float32Array> {
  return collect(graph, graph.outputs[0]!.tensor, data, options);
}

/** Accuracy and loss on labelled data. Of equal outputs the first counts. */
export async function evaluate(graph: Graph, data: Split, options: EvaluateOptions = {}): Promise<Evaluation> {
  const { labels, classes, count } = data;
  if (!labels) throw new IdapError("E_LABELS", `"${data.name}" has no labels, so accuracy cannot be measured on it`);
  const tensor = logitsOf(graph);
  const width = sizeOf(typeOf(graph, tensor).shape);
  if (width !== classes) {
    throw new IdapError("E_CLASSES", `"${graph.name}" has ${width} outputs, "${data.name}" has ${classes} classes`);
  }
  const logits = await collect(graph, tensor, data, options);
  const correct = new Uint8Array(count);
  let right = 0;
  for (let i = 0; i < count; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[i * classes + c]! > logits[i * classes + best]!) best = c;
    correct[i] = best === labels[i] ? 1 : 0;
    right += correct[i]!;
  }
  return { accuracy: right / count, loss: await crossEntropy(logits, labels, classes), correct };
}

/** One tensor for all samples, read and run in chunks, so that only the results are in memory at once. */
async function collect(graph: Graph, tensor: string, data: Split, options: EvaluateOptions): Promise<Float32Array> {
  requireFit(graph, data);
  if (data.count === 0) throw new IdapError("E_DATA", `"${data.name}" has no samples`);
  const { executor: id = "wasm", ...rest } = options;
  const chunk = (rest.batch ?? 64) * (rest.threads ?? 1);
  const width = sizeOf(typeOf(graph, tensor).shape);
  const sample = sizeOf(data.shape);
  const out = new Float32Array(data.count * width);
  const executor = createExecutor(id, { ...graph, outputs: [{ name: tensor, tensor }] }, rest);
  try {
    for (let first = 0; first < data.count; first += chunk) {
      const count = Math.min(chunk, data.count - first);
      const values = new Float32Array(count * sample);
      data.read(
        Int32Array.from({ length: count }, (_, i) => first + i),
        values,
      );
      const input = { data: values, shape: [count, ...data.shape], dtype: "f32" as const };
      const result = await executor.run({ [graph.inputs[0]!.name]: input });
      out.set(result[tensor]!.data as Float32Array, first * width);
    }
  } finally {
    await executor.close();
  }
  return out;
}

/** In wasm like everything else, so that it does not depend on the engine's exponential. */
async function crossEntropy(logits: Float32Array, labels: Int32Array, classes: number): Promise<number> {
  const builder = new GraphBuilder("loss");
  const type = { dtype: "f32", shape: [1, classes], batchAxis: 0 } as const;
  const inputs = [builder.input("logits", type), builder.input("target", type)];
  builder.output(builder.node("softmax_cross_entropy", inputs, { temperature: 1 })[0]!, "loss");
  const target = new Float32Array(logits.length);
  labels.forEach((label, i) => (target[i * classes + label] = 1));
  const shape = [labels.length, classes];
  const executor = createExecutor("wasm", builder.build());
  const { loss } = await executor.run({
    logits: { data: logits, shape, dtype: "f32" },
    target: { data: target, shape, dtype: "f32" },
  });
  await executor.close();
  return (loss!.data as Float32Array)[0]!;
}
