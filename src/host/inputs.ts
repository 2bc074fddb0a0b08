/** What callers pass to an executor, checked against the graph's interface. */
import { IdapError } from "../model/errors.js";
import { tensorOf } from "../model/graph.js";
import { allocate, shapeAt, sizeOf, type Graph, type TensorRecord } from "../model/types.js";

/**
 * The batch size that `inputs` stand for. Throws E_INPUT when a port is missing or unknown, a dtype or shape does not
 * fit, or two inputs disagree about the batch.
 */
export function batchOf(graph: Graph, inputs: TensorRecord): number {
  const names = graph.inputs.map((p) => p.name);
  for (const [name, { shape }] of Object.entries(inputs)) {
    // What has no elements is no input of a graph: files declare such inputs for optional operands.
    if (!names.includes(name) && !shape.includes(0)) {
      throw new IdapError("E_INPUT", `"${name}" is no input of "${graph.name}"; it has ${names.join(", ") || "none"}`);
    }
  }
  let batch: number | null = null;
  for (const port of graph.inputs) {
    const { type } = tensorOf(graph, port.tensor);
    const value = inputs[port.name];
    if (!value) throw new IdapError("E_INPUT", `the input "${port.name}" of "${graph.name}" is missing`);
    if (value.dtype !== type.dtype) {
      throw new IdapError("E_INPUT", `the input "${port.name}" must be ${type.dtype}, got ${value.dtype}`);
    }
    const kind = allocate(type.dtype, 0)[Symbol.toStringTag];
    if (value.data[Symbol.toStringTag] !== kind) {
      throw new IdapError(
        "E_INPUT",
        `the input "${port.name}" is ${type.dtype} and needs its values in ${kind}, not in ${value.data[Symbol.toStringTag]}`,
      );
    }
    const axis = type.batchAxis;
    const extent = axis === null ? 1 : (value.shape[axis] ?? 0) / type.shape[axis]!;
    const expected = shapeAt(type, extent);
    const fits =
      Number.isInteger(extent) &&
      extent >= 1 &&
      value.shape.length === expected.length &&
      value.shape.every((d, i) => d === expected[i]);
    if (!fits) {
      const wanted = type.shape.map((d, i) => (i === axis ? (d === 1 ? "batch" : `batch*${d}`) : d)).join(", ");
      throw new IdapError("E_INPUT", `the input "${port.name}" must be [${wanted}], got [${value.shape.join(", ")}]`);
    }
    if (value.data.length !== sizeOf(value.shape)) {
      throw new IdapError(
        "E_INPUT",
        `the input "${port.name}" says [${value.shape.join(", ")}] but holds ${value.data.length} values`,
      );
    }
    if (axis === null) continue;
    if (batch !== null && batch !== extent) {
      throw new IdapError("E_INPUT", `the inputs disagree about the batch: ${batch} and ${extent} ("${port.name}")`);
    }
    batch = extent;
  }
  return batch ?? 1;
}
