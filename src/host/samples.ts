/** Whether a data set can feed a model. */
import type { Split } from "../model/dataset.js";
import { IdapError } from "../model/errors.js";
import { tensorOf } from "../model/graph.js";
import { sameShape, type Graph } from "../model/types.js";

/** Throws unless the graph has one input and the samples have its shape. */
export function requireFit(graph: Graph, data: Split): void {
  const [port] = graph.inputs;
  if (!port || graph.inputs.length !== 1) {
    throw new IdapError("E_INPUT", `"${graph.name}" has ${graph.inputs.length} inputs; data sets feed models with one`);
  }
  const { type } = tensorOf(graph, port.tensor);
  if (type.batchAxis !== 0 || type.shape[0] !== 1) {
    throw new IdapError(
      "E_BATCH",
      `the input "${port.name}" [${type.shape}] of "${graph.name}" has no batch on its first axis`,
    );
  }
  if (!sameShape(type.shape.slice(1), data.shape)) {
    throw new IdapError(
      "E_DATA_SHAPE",
      `"${graph.name}" takes samples of shape [${type.shape.slice(1).join(", ")}], "${data.name}" has [${data.shape.join(", ")}]`,
    );
  }
}
