/** The oracle: every operator's naive f64 evaluation, one node after another. */
import type { NdArray } from "../model/define-op.js";
import { fromDoubles, toDoubles } from "../model/doubles.js";
import { IdapError } from "../model/errors.js";
import { tensorOf } from "../model/graph.js";
import { getOp } from "../model/ops/index.js";
import { shapeAt, type Graph, type TensorRecord, type TensorValue } from "../model/types.js";
import type { Executor } from "./executor-types.js";
import { batchOf } from "./inputs.js";

/**
 * Evaluates a graph in f64 without any rounding to f32 in between.
 * @param inputs by tensor name, at their concrete shapes
 * @param batch the batch size that those shapes stand for
 * @param constants replaces constants by other values (for finite differences)
 * @returns every tensor of the graph
 */
export function evaluateGraph(
  graph: Graph,
  inputs: ReadonlyMap<string, NdArray>,
  batch: number,
  constants: ReadonlyMap<string, Float64Array> = new Map(),
): Map<string, NdArray> {
  const values = new Map<string, NdArray>(inputs);
  for (const [name, { data, type }] of graph.tensors) {
    if (data) {
      values.set(name, { data: constants.get(name) ?? toDoubles(data), shape: type.shape, dtype: type.dtype });
    }
  }
  for (const node of graph.nodes) {
    const operands = node.inputs.map((name) => values.get(name)!);
    const types = node.outputs.map((name) => tensorOf(graph, name).type);
    const shapes = types.map((type) => shapeAt(type, batch));
    const results = getOp(node.op).reference(operands, node.attrs, shapes);
    node.outputs.forEach((name, i) => values.set(name, { ...results[i]!, dtype: types[i]!.dtype }));
  }
  return values;
}

export class ReferenceExecutor implements Executor {
  readonly id = "reference";

  constructor(private readonly graph: Graph) {}

  async run(inputs: TensorRecord): Promise<TensorRecord> {
    const values = this.evaluate(inputs);
    const result: Record<string, TensorValue> = {};
    for (const port of this.graph.outputs) result[port.name] = this.value(port.tensor, values);
    return result;
  }

  async observe(inputs: TensorRecord, tensors: readonly string[]): Promise<Map<string, TensorValue>> {
    const unknown = tensors.find((name) => !this.graph.tensors.has(name));
    if (unknown !== undefined)
      throw new IdapError("E_TENSOR", `"${this.graph.name}" has no tensor "${unknown}" to observe`);
    const values = this.evaluate(inputs);
    const result = new Map<string, TensorValue>();
    for (const port of this.graph.outputs) result.set(port.tensor, this.value(port.tensor, values));
    for (const name of tensors) result.set(name, this.value(name, values));
    return result;
  }

  async close(): Promise<void> {
    // Holds nothing.
  }

  private evaluate(inputs: TensorRecord): Map<string, NdArray> {
    const batch = batchOf(this.graph, inputs);
    const arrays = new Map<string, NdArray>();
    for (const { name, tensor } of this.graph.inputs) {
      const { data, shape, dtype } = inputs[name]!;
      arrays.set(tensor, { data: toDoubles(data), shape, dtype });
    }
    return evaluateGraph(this.graph, arrays, batch);
  }

  private value(name: string, values: ReadonlyMap<string, NdArray>): TensorValue {
    const { type } = tensorOf(this.graph, name);
    const { data, shape } = values.get(name)!;
    return { data: fromDoubles(data, type.dtype), shape, dtype: type.dtype };
  }
}
