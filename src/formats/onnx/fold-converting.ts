import { GraphBuilder } from "../../model/builder.js";
import type { NdArray } from "../../model/define-op.js";
import { fromDoubles, toDoubles } from "../../model/doubles.js";
import { getOp } from "../../model/ops/index.js";
import { sizeOf, type Graph } from "../../model/types.js";
import { Names } from "../shared/names.js";
import { OnnxContext } from "./context.js";
import { OnnxOp, type Converter } from "./op.js";
import type { Constant } from "./wire.js";

/**
 * A node whose operands are all constants, evaluated: its converter builds a graph of its own, which is computed as the
 * operators' definitions say. The results of the node, in order; null where it has none.
 */
export function foldByConverting(op: OnnxOp, converter: Converter): (Constant | null)[] {
  const { node, context } = op;
  const names = node.input.filter((n) => n !== "");
  const builder = new GraphBuilder("constants");
  const scratch = new OnnxContext({
    file: context.file,
    opset: context.opset,
    builder,
    names: new Names(),
    budget: context.budget,
    fileBatch: 1,
    ours: false,
    constantNames: new Set(names),
    soleReader: new Map(),
    load: context.load,
  });
  for (const name of names) {
    const c = op.constant(node.input.indexOf(name));
    if (!c) throw op.malformed(`needs its input "${name}" to be a constant`);
    const { alt: _, ...plain } = { dtype: c.dtype, shape: c.shape, data: c.data, alt: null };
    scratch.constants.set(name, plain);
  }
  const inner = new OnnxOp(scratch, node);
  const reason = converter.refuse?.(inner) ?? null;
  if (reason !== null) throw op.unsupported(reason);
  converter.convert(inner);
  const outputs = node.output.map((name) => (name === "" ? null : scratch.inFileType(name)));
  outputs.forEach((tensor, i) => tensor !== null && builder.output(tensor, `${i}`));
  const values = evaluate(builder.build(), (bytes) => context.budget.charge(bytes));
  return outputs.map((tensor) => {
    if (tensor === null) return null;
    const { dtype } = builder.typeOf(tensor);
    const { data, shape } = values.get(tensor)!;
    return { dtype, shape, data: fromDoubles(data, dtype) };
  });
}

/** Every tensor of a graph without inputs, in doubles. */
function evaluate(graph: Graph, charge: (bytes: number) => void): Map<string, NdArray> {
  const values = new Map<string, NdArray>();
  for (const [name, { data, type }] of graph.tensors) {
    if (!data) charge(8 * sizeOf(type.shape));
    else values.set(name, { data: toDoubles(data), shape: type.shape, dtype: type.dtype });
  }
  for (const { op, inputs, outputs, attrs } of graph.nodes) {
    const types = outputs.map((name) => graph.tensors.get(name)!.type);
    const results = getOp(op).reference(
      inputs.map((name) => values.get(name)!),
      attrs,
      types.map((t) => t.shape),
    );
    outputs.forEach((name, i) => values.set(name, { ...results[i]!, dtype: types[i]!.dtype }));
  }
  return values;
}
