/** From a model to its training graph: batch statistics, loss, gradients. */
import { IdapError } from "../model/errors.js";
import { parameterNames, tensorOf } from "../model/graph.js";
import type { Graph } from "../model/types.js";
import { differentiate } from "./autodiff.js";
import { withBatchStatistics, type LearningNorm } from "./batch-statistics.js";
import { addLoss } from "./losses.js";
import type { TrainOptions } from "./train-types.js";

export interface Training {
  /** Forward, loss and backward; its only output is the loss. */
  readonly graph: Graph;
  readonly loss: string;
  /** Constants that change, and their gradients, in the same order. */
  readonly parameters: readonly string[];
  readonly gradients: readonly string[];
  readonly norms: readonly LearningNorm[];
  /** Whether there is the input losses.TARGET. */
  readonly needsTarget: boolean;
}

export function buildTraining(
  graph: Graph,
  classes: number,
  options: Pick<TrainOptions, "loss" | "match" | "trainable">,
): Training {
  const { trainable = () => true } = options;
  const { graph: learning, norms } = withBatchStatistics(graph, (norm) => trainable(norm.inputs[1]!));
  const { graph: forward, loss, needsTarget } = addLoss(learning, classes, options);
  const wanted = parameterNames(graph).filter(trainable);
  const { graph: backward, gradients } = differentiate(forward, loss, wanted);
  const parameters = wanted.filter((name) => gradients.has(name));
  if (parameters.length === 0) {
    throw new IdapError(
      "E_TRAINABLE",
      `nothing to train in "${graph.name}": the loss depends on no constant that may change`,
    );
  }
  for (const name of parameters) {
    if (tensorOf(graph, name).type.dtype !== "f32")
      throw new IdapError("E_DTYPE", `the parameter "${name}" is not f32`);
  }
  return {
    graph: { ...backward, outputs: [{ name: "loss", tensor: loss }] },
    loss,
    parameters,
    gradients: parameters.map((name) => gradients.get(name)!),
    norms,
    needsTarget,
  };
}
