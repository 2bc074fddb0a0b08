import { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { cancelTransposes } from "../../model/passes/transposes.js";
import type { Graph, TensorType } from "../../model/types.js";
import { withTracedBatch } from "../shared/batch.js";
import { Budget } from "../shared/bytes.js";
import { checkShape } from "../shared/check.js";
import { Names } from "../shared/names.js";
import { Refusals } from "../shared/refusals.js";
import { OnnxContext, OnnxOp } from "./context.js";
import { folders } from "./fold.js";
import type { GraphProto, NodeProto, ValueInfoProto } from "./generated/onnx_pb.js";
import { converters } from "./operators/index.js";
import { BATCH, PRODUCER } from "./producer.js";
import { decodeTensor, dtypeOf, parseOnnx } from "./wire.js";

/**
 * Reads an ONNX model (operator sets 7 and newer). Ports keep the file's names and axes (images stay NCHW);
 * inside, images have the channels last.
 *
 * @param name name of the graph where the file gives none
 * @param file name for messages
 * @param batch extent of axis 0 of the inputs that stands for the batch (1 unless the file was exported otherwise)
 */
export function readOnnx(bytes: Uint8Array, name: string, file: string, batch = 1): Graph {
  const { model, graph, opset } = parseOnnx(bytes, file);
  const source: Source = {
    file,
    graph,
    opset,
    ours: model.producerName === PRODUCER,
    batch,
    size: bytes.length,
    name: graph.name || name,
    ...analyse(graph),
  };
  refuseQuantised(source);
  refuseUnsupported(source);
  const result = withTracedBatch((traced) => build(source, traced));
  // Our writer left no transpose that could be avoided, and its graphs come back as they were.
  if (source.ours) return result;
  // What is left are transposes before flattening; the pass gives their work to the next dense layer where there is one.
  const moved = cancelTransposes(result);
  return moved.nodes.length < result.nodes.length ? moved : result;
}

interface Source {
  readonly file: string;
  readonly graph: GraphProto;
  readonly opset: number;
  readonly ours: boolean;
  readonly batch: number;
  readonly size: number;
  readonly name: string;
  readonly constantNames: ReadonlySet<string>;
  readonly soleReader: ReadonlyMap<string, NodeProto | null>;
}

/** Which values are constants once folded, and which are read by one node alone. */
function analyse(graph: GraphProto): Pick<Source, "constantNames" | "soleReader"> {
  const constantNames = new Set(graph.initializer.map((t) => t.name));
  const soleReader = new Map<string, NodeProto | null>(graph.output.map((o) => [o.name, null]));
  for (const node of graph.node) {
    if (isFolded(node, constantNames)) node.output.forEach((name) => constantNames.add(name));
    for (const name of node.input) soleReader.set(name, soleReader.has(name) ? null : node);
  }
  return { constantNames, soleReader };
}

function inDefaultDomain(node: NodeProto): boolean {
  return node.domain === "" || node.domain === "ai.onnx";
}

function isFolded(node: NodeProto, constants: ReadonlySet<string>): boolean {
  if (!inDefaultDomain(node) || !Object.hasOwn(folders, node.opType) || node.output.length !== 1) return false;
  return node.opType === "Shape" || node.input.every((name) => name === "" || constants.has(name));
}

function refuseQuantised({ file, graph }: Source): void {
  const node = graph.node.find((n) => /^(QLinear|Dequantize|Quantize|DynamicQuantize)|Integer$/.test(n.opType));
  if (!node) return;
  throw new IdapError(
    "E_QUANTISED",
    `${file} is a quantised model (${node.opType} "${node.name || node.output[0]}" on tensor "${node.input[0]}"); only float models are read yet`,
    "Give the float model from which it was made; what is emitted can be quantised at the end.",
  );
}

function refuseUnsupported(source: Source): void {
  const { file, graph } = source;
  const context = makeContext(source, new GraphBuilder("unused"), 1);
  addInitialisers(context, graph);
  const refusals = new Refusals(file);
  for (const node of graph.node) {
    const op = new OnnxOp(context, node);
    if (isFolded(node, context.constantNames)) {
      // Values that need no shapes can be told already, so that converters see them.
      if (node.opType === "Constant") context.constants.set(op.output, folders.Constant!(op));
      continue;
    }
    const known = inDefaultDomain(node) && Object.hasOwn(converters, node.opType);
    if (!known) {
      refusals.add(inDefaultDomain(node) ? node.opType : `${node.domain}.${node.opType}`, op.name);
      continue;
    }
    const reason = converters[node.opType]!.refuse?.(op) ?? null;
    if (reason !== null) refusals.add(node.opType, op.name, reason);
  }
  refusals.throwIfAny();
}

function makeContext(source: Source, builder: GraphBuilder, fileBatch: number): OnnxContext {
  const budget = new Budget(source.file, source.size);
  return new OnnxContext(
    source.file,
    source.opset,
    builder,
    new Names(),
    budget,
    fileBatch,
    source.ours,
    source.constantNames,
    source.soleReader,
  );
}

function addInitialisers(context: OnnxContext, graph: GraphProto): void {
  for (const t of graph.initializer) {
    const c = decodeTensor(t, `${context.file}: constant "${t.name}"`);
    context.budget.charge(c.data.byteLength);
    context.constants.set(t.name, c);
  }
}

function build(source: Source, traced: boolean): Graph {
  const { graph } = source;
  const builder = new GraphBuilder(source.name);
  const context = makeContext(source, builder, traced ? source.batch : 1);
  addInitialisers(context, graph);
  for (const info of graph.input) {
    // Before IR version 4 initialisers were listed as inputs too.
    if (context.constants.has(info.name)) continue;
    const port = context.names.fresh(info.name);
    context.bind(info.name, { file: builder.input(port, inputType(info, source, traced)) });
  }
  for (const node of graph.node) {
    const op = new OnnxOp(context, node);
    if (context.done.has(node)) continue;
    if (isFolded(node, context.constantNames)) context.constants.set(op.output, folders[node.opType]!(op));
    else converters[node.opType]!.convert(op);
  }
  const ports = new Names();
  for (const { name } of graph.output) builder.output(context.inFileOrder(name), ports.fresh(name));
  return builder.build();
}

/**
 * Type at batch 1. The batch axis is the symbolic one, or axis 0 where it has the extent that stands for the batch;
 * in our own files only what is marked.
 */
function inputType(info: ValueInfoProto, { file, batch, ours }: Source, traced: boolean): TensorType {
  const what = `${file}: input "${info.name}"`;
  const type = info.type?.value;
  if (type?.case !== "tensorType" || !type.value.shape) {
    throw new IdapError("E_SHAPE", `${what} states no shape`, "Export the model with fixed sizes.");
  }
  const dtype = dtypeOf(type.value.elemType, what);
  if (dtype === "f32" && type.value.elemType !== 1) {
    throw new IdapError("E_DTYPE", `${what} takes float16 or double values; only float32 is read`);
  }
  const dims = type.value.shape.dim.map((d) => d.value);
  const symbolic = dims.flatMap((d, i) => (d.case === "dimValue" && d.value > 0n ? [] : [i]));
  const axis = symbolic[0] ?? null;
  const mark = axis === null ? null : BATCH.exec(dims[axis]!.case === "dimParam" ? String(dims[axis]!.value) : "");
  if (symbolic.length > 1 || (axis !== null && axis !== 0 && !mark)) {
    const bad = symbolic.find((i) => i !== 0)!;
    throw new IdapError(
      "E_SHAPE",
      `${what} leaves axis ${bad} open (${String(dims[bad]!.value ?? "no extent")}); only the batch may be`,
      "Fix the size, for example with onnxruntime.tools.make_dynamic_shape_fixed.",
    );
  }
  const extent = mark?.[1] ? Number(mark[1]) : 1;
  const shape = [
    ...checkShape(
      dims.map((d, i) => (i === axis ? extent : Number(d.value))),
      what,
    ),
  ];
  if (!traced) return { dtype, shape, batchAxis: null };
  if (axis !== null) return { dtype, shape, batchAxis: axis };
  if (ours || shape.length === 0 || shape[0] !== batch) return { dtype, shape, batchAxis: null };
  shape[0] = 1;
  return { dtype, shape, batchAxis: 0 };
}
