import { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { cancelTransposes } from "../../model/passes/transposes.js";
import { allocate, type Graph } from "../../model/types.js";
import { withTracedBatch } from "../shared/batch.js";
import { Budget } from "../shared/bytes.js";
import { Names } from "../shared/names.js";
import { Refusals } from "../shared/refusals.js";
import { OnnxContext, computeDtype } from "./context.js";
import { OnnxOp } from "./op.js";
import { folders, SHAPE_FOLDERS } from "./fold.js";
import { foldByConverting } from "./fold-converting.js";
import { inlineFunctions } from "./functions.js";
import { declaredShapes } from "./declared.js";
import type { NodeProto, ValueInfoProto } from "./generated/onnx_pb.js";
import { emptyInput, inputType, needShapes, type InputOptions } from "./inputs.js";
import { converterOf, KEEPS_SCALE } from "./operators/index.js";
import { PRODUCER } from "./producer.js";
import {
  decodeTensor,
  dtypeOf,
  lazyTensor,
  parseOnnx,
  type Constant,
  type LoadSibling,
  type OnnxGraph,
  type Recent,
} from "./wire.js";

export interface OnnxOptions {
  /** Extent of axis 0 of the inputs that stands for the batch (1 unless the file was exported otherwise). */
  readonly batch?: number | undefined;
  /** Shapes of inputs whose extents the file leaves open. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Bytes of a file beside the model, where its constants are in others. */
  readonly load?: LoadSibling | undefined;
  /** Told the share of the nodes that have been read. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/**
 * Reads an ONNX model (operator sets 7 and newer). Ports keep the file's names, axes and element types (images stay
 * NCHW); inside, images have the channels last.
 *
 * @param name name of the graph where the file gives none
 * @param file name for messages
 */
export function readOnnx(bytes: Uint8Array, name: string, file: string, options: OnnxOptions | number = {}): Graph {
  const { batch = 1, shapes = {}, load, onProgress } = typeof options === "number" ? { batch: options } : options;
  const { graph, opset, producer, functions } = parseOnnx(bytes, file);
  const nodes = inlineFunctions(graph.nodes, functions, file);
  const ours = producer === PRODUCER;
  const whole = { ...graph, nodes };
  checkNames(whole, file);
  const ports: InputOptions = { file, batch, ours, shapes };
  const empty = graph.inputs.filter((info) => emptyInput(info, ports) !== null);
  const source: Source = {
    file,
    graph: whole,
    opset,
    ours,
    interface: ports,
    size: bytes.length,
    name: graph.name || name,
    load,
    onProgress,
    empty,
    ...analyse(whole, ours, empty),
  };
  checkOutputs(whole, file);
  needShapes(
    graph.inputs.filter((i) => !source.constantNames.has(i.name)),
    source.interface,
  );
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
  readonly graph: OnnxGraph;
  readonly opset: number;
  readonly ours: boolean;
  readonly interface: InputOptions;
  /** Inputs without elements, which are constants. */
  readonly empty: readonly ValueInfoProto[];
  readonly size: number;
  readonly name: string;
  readonly load: LoadSibling | undefined;
  readonly onProgress: ((fraction: number) => void) | undefined;
  readonly constantNames: ReadonlySet<string>;
  /** Constants that nodes give. */
  readonly folded: ReadonlySet<string>;
  readonly soleReader: ReadonlyMap<string, NodeProto | null>;
}

/** A name stands for one value. */
function checkNames({ inputs, initializers, nodes }: OnnxGraph, file: string): void {
  const given = new Set<string>();
  const add = (name: string, what: string): void => {
    if (name === "") return;
    if (given.has(name)) throw new IdapError("E_FORMAT", `${file} is damaged: ${what} "${name}" exists already`);
    given.add(name);
  };
  const constants = new Set(initializers.map((t) => t.proto.name));
  for (const { proto } of initializers) add(proto.name, "the constant");
  // Before IR version 4 initialisers were listed as inputs too.
  for (const { name } of inputs) if (!constants.has(name)) add(name, "the input");
  for (const node of nodes) for (const name of node.output) add(name, `the output of ${node.opType}`);
}

/** Results must have an element type that callers can be given. */
function checkOutputs({ outputs }: OnnxGraph, file: string): void {
  for (const { name, type } of outputs) {
    const what = `${file}: output "${name}"`;
    const value = type?.value;
    if (value?.case === "tensorType" && value.value.elemType !== 0) dtypeOf(value.value.elemType, what);
    else if (value?.case !== undefined && value.case !== "tensorType") {
      throw new IdapError("E_DTYPE", `${what} is a ${value.case.replace("Type", "")}, not a tensor`);
    }
  }
}

/** Which values are constants once folded, and which are read by one node alone. */
function analyse(
  graph: OnnxGraph,
  ours: boolean,
  empty: readonly ValueInfoProto[],
): Pick<Source, "constantNames" | "folded" | "soleReader"> {
  const constantNames = new Set([...graph.initializers.map((t) => t.proto.name), ...empty.map((i) => i.name)]);
  const folded = new Set<string>();
  const soleReader = new Map<string, NodeProto | null>(graph.outputs.map((o) => [o.name, null]));
  for (const node of graph.nodes) {
    if (isFolded(node, { all: constantNames, folded }, ours)) {
      for (const name of node.output.filter((n) => n !== "")) {
        constantNames.add(name);
        folded.add(name);
      }
    }
    for (const name of usedBy(node)) soleReader.set(name, soleReader.has(name) ? null : node);
  }
  return { constantNames, folded, soleReader };
}

/** Names that a node reads, those inside its branches included. */
function usedBy(node: NodeProto): string[] {
  const inner = node.attribute.flatMap((a) =>
    a.g ? [...a.g.node.flatMap(usedBy), ...a.g.output.map((o) => o.name)] : [],
  );
  return [...node.input, ...inner];
}

function inDefaultDomain(node: NodeProto): boolean {
  return node.domain === "" || node.domain === "ai.onnx";
}

function hasFolder(node: NodeProto): boolean {
  return inDefaultDomain(node) && node.output.length === 1 && Object.hasOwn(folders, node.opType);
}

/** In our own files nodes on constants stay as they were written; only shapes of computed tensors are folded. */
function isFolded(node: NodeProto, constants: Constants, ours: boolean): boolean {
  if (hasFolder(node) && SHAPE_FOLDERS.has(node.opType)) return true;
  if (!hasFolder(node) && (ours || !converterOf(node.domain, node.opType) || node.input.length === 0)) return false;
  if (ours && node.opType !== "Constant" && !node.input.some((name) => constants.folded.has(name))) return false;
  return node.input.every((name) => name === "" || constants.all.has(name));
}

/** Names of values that are known at read, and those among them that nodes give. */
interface Constants {
  readonly all: { has(name: string): boolean };
  readonly folded: { has(name: string): boolean };
}

function refuseUnsupported(source: Source): void {
  const context = makeContext(source, new GraphBuilder("unused"), 1);
  addInitialisers(context, source);
  const refusals = new Refusals(source.file);
  for (const node of source.graph.nodes) {
    const op = new OnnxOp(context, node);
    if (hasFolder(node) && isFolded(node, { all: context.constantNames, folded: source.folded }, source.ours)) {
      // Values that need no shapes can be told already, so that converters see them.
      if (node.opType === "Constant") context.constants.set(op.output, folders.Constant!(op));
      continue;
    }
    if (inDefaultDomain(node) && node.opType === "If" && op.isConstant(0)) continue;
    const converter = converterOf(node.domain, node.opType);
    if (!converter) {
      refusals.add(inDefaultDomain(node) ? node.opType : `${node.domain}.${node.opType}`, op.name);
      continue;
    }
    const reason = converter.refuse?.(op) ?? null;
    if (reason !== null) refusals.add(node.opType, op.name, reason);
  }
  refusals.throwIfAny();
}

function makeContext(source: Source, builder: GraphBuilder, fileBatch: number): OnnxContext {
  const { file, opset, ours, size, constantNames, soleReader, load } = source;
  const budget = new Budget(file, size + externalSize(source));
  const names = new Names();
  const declared = declaredShapes(source.graph.outputs);
  const own = { file, opset, ours, constantNames, soleReader, load, declared };
  return new OnnxContext({ ...own, builder, names, budget, fileBatch });
}

/** Bytes that constants keep in other files. */
function externalSize({ graph }: Source): number {
  let bytes = 0;
  for (const { proto } of graph.initializers) {
    if (proto.externalData.length > 0) bytes += Number(proto.externalData.find((e) => e.key === "length")?.value ?? 0);
  }
  return Number.isFinite(bytes) ? bytes : 0;
}

function addInitialisers(context: OnnxContext, { graph, empty, interface: options }: Source): void {
  for (const info of empty) {
    const { dtype, shape } = emptyInput(info, options)!;
    context.constants.set(info.name, { dtype, shape, data: allocate(dtype, 0) });
  }
  const { load } = context;
  const recent: Recent = {};
  for (const t of graph.initializers) {
    const what = `${context.file}: constant "${t.proto.name}"`;
    context.constants.set(t.proto.name, lazyTensor(t, what, { load, recent }));
  }
}

function build(source: Source, traced: boolean): Graph {
  const { graph, onProgress } = source;
  const builder = new GraphBuilder(source.name);
  const context = makeContext(source, builder, traced ? source.interface.batch : 1);
  addInitialisers(context, source);
  for (const info of graph.inputs) {
    if (context.constants.has(info.name)) continue;
    const port = context.names.fresh(info.name);
    const type = inputType(info, source.interface, traced);
    const tensor = builder.input(port, type);
    const plain = computeDtype(type.dtype) === type.dtype;
    context.bind(info.name, plain ? { file: tensor, dtype: type.dtype } : { raw: tensor, dtype: type.dtype });
    if (type.batchAxis !== null) context.batchSource ??= tensor;
  }
  graph.nodes.forEach((node, i) => {
    readNode(context, node, source.folded);
    onProgress?.((i + 1) / graph.nodes.length);
  });
  const ports = new Names();
  for (const { name } of graph.outputs) builder.output(outputTensor(context, name), ports.fresh(name));
  return builder.build();
}

/** An output is a tensor of its own element type; a constant that depends on the batch cannot be one. */
function outputTensor(context: OnnxContext, name: string): string {
  return context.inFileType(name);
}

function readNode(context: OnnxContext, node: NodeProto, known: ReadonlySet<string>): void {
  if (context.done.has(node)) return;
  const op = new OnnxOp(context, node);
  const { ours } = context;
  if (isFolded(node, { all: context.constants, folded: known }, ours)) return fold(op);
  if (inDefaultDomain(node) && node.opType === "If") return readBranch(op, known);
  const converter = converterOf(node.domain, node.opType);
  if (!converter) throw op.unsupported("there is no such operator here");
  if (keepsScale(op)) return readQuantised(op);
  converter.convert(op);
}

/** Sets the results of a node on constants; twice where an operand depends on the batch. */
function fold(op: OnnxOp): void {
  const first = folded(op);
  const varies = SHAPE_FOLDERS.has(op.node.opType) || op.node.input.some((_, i) => op.constant(i)?.alt !== undefined);
  const second = varies ? folded(new OnnxOp(op.context, op.node, true)) : first;
  op.node.output.forEach((name, i) => {
    const [c, alt] = [first[i], second[i]];
    if (!c || name === "") return;
    op.context.constants.set(name, alt && alt !== c && !sameConstant(c, alt) ? withAlternative(c, alt) : c);
  });
}

function withAlternative(c: Constant, alt: Constant): Constant {
  return { dtype: c.dtype, shape: c.shape, data: c.data, alt };
}

function folded(op: OnnxOp): (Constant | null)[] {
  if (hasFolder(op.node)) return [folders[op.node.opType]!(op)];
  return foldByConverting(op, converterOf(op.node.domain, op.node.opType)!);
}

function sameConstant(a: Constant, b: Constant): boolean {
  if (a.shape.join() !== b.shape.join()) return false;
  const other = b.data;
  return (a.data as Float32Array).every((v, i) => v === other[i] || (Number.isNaN(v) && Number.isNaN(other[i])));
}

/** A branch whose condition is known is read in place of the node. */
function readBranch(op: OnnxOp, known: ReadonlySet<string>): void {
  const { context, node } = op;
  const condition = op.constant(0);
  if (!condition || condition.alt) {
    const refusals = new Refusals(context.file);
    refusals.add("If", op.name, "a condition computed at run time");
    return refusals.throwIfAny();
  }
  const wanted = Number(condition.data[0]) !== 0 ? "then_branch" : "else_branch";
  const branch = op.attribute(wanted)?.g;
  if (!branch) throw op.malformed(`has no ${wanted}`);
  for (const t of branch.initializer) {
    context.constants.set(t.name, decodeTensor(t, `${context.file}: constant "${t.name}"`, context.load));
  }
  for (const inner of branch.node) readNode(context, inner, known);
  node.output.forEach((name, i) => {
    const result = branch.output[i]?.name;
    if (result === undefined) throw op.malformed(`has ${branch.output.length} results, not ${node.output.length}`);
    if (name === "") return;
    const constant = context.constants.get(result);
    if (constant) context.constants.set(name, constant);
    else context.alias(result, name);
  });
}

/** Moves of integers that have a scale move the floats instead. */
function keepsScale(op: OnnxOp): boolean {
  const { node, context } = op;
  if (context.ours || !inDefaultDomain(node) || !KEEPS_SCALE.has(node.opType) || node.input.length === 0) return false;
  return context.quantised.get(node.input[0]!)?.quant.axis === null;
}

function readQuantised(op: OnnxOp): void {
  const { node, context } = op;
  const { quant } = context.quantised.get(node.input[0]!)!;
  const float = context.floatOfQuantised(node.input[0]!);
  const outputs = node.output.map((name) => (name === "" ? "" : `${name}/float`));
  const inner = op.derived({ input: [float, ...node.input.slice(1)], output: outputs });
  converterOf("", node.opType)!.convert(inner);
  node.output.forEach((name, i) => {
    if (name !== "") context.quantised.set(name, { float: outputs[i]!, quant, axisInFile: null });
  });
}
