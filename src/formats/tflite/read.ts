import { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { removeDeadNodes } from "../../model/passes/dead-nodes.js";
import type { Graph, TensorType } from "../../model/types.js";
import { withTracedBatch } from "../shared/batch.js";
import { checkShape } from "../shared/check.js";
import { Names } from "../shared/names.js";
import { Refusals } from "../shared/refusals.js";
import { fileType, quantOf } from "./constants.js";
import { staticTensors, TfliteContext, TfliteOp } from "./context.js";
import { parseTflite, type FileTensor, type TfliteFile } from "./file.js";
import { converters } from "./operators/index.js";

/** "TFL3" at byte 4: the file identifier of the schema. */
export function isTflite(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && String.fromCharCode(...bytes.subarray(4, 8)) === "TFL3";
}

/**
 * Reads subgraph 0 of a TFLite model as a float graph. Ports have the names, shapes and element types of the file;
 * fused activations become nodes; SAME padding becomes numbers; quantised tensors become floats that are annotated with
 * their scales, between a `dequantize` at each quantised input and a `quantize` at each quantised output.
 *
 * @param name name of the graph
 * @param file name for messages
 * @param batch extent of axis 0 of the inputs that stands for the batch (1 unless the file was exported otherwise)
 * @param shapes of inputs whose extents the file leaves open, by name
 */
export function readTflite(bytes: Uint8Array, name: string, file: string, batch = 1, shapes: Shapes = {}): Graph {
  const source = parseTflite(bytes, file);
  const known = staticTensors(source);
  refuseUnsupported(source, known);
  return withTracedBatch((traced) => removeDeadNodes(build(source, known, { name, batch, traced, shapes })));
}

function refuseUnsupported(source: TfliteFile, known: ReadonlySet<number>): void {
  const refusals = new Refusals(source.file);
  const context = new TfliteContext(source, new GraphBuilder("unused"), new Names(), 1, known);
  for (const operator of source.operators) {
    const op = new TfliteOp(context, operator);
    const converter = Object.hasOwn(converters, operator.code) ? converters[operator.code] : undefined;
    if (!converter) refusals.add(operator.code, op.name);
    else {
      const reason = converter.refuse?.(op) ?? null;
      if (reason !== null) refusals.add(operator.code, op.name, reason);
    }
  }
  refusals.throwIfAny();
}

type Shapes = Readonly<Record<string, readonly number[]>>;

interface Options {
  readonly name: string;
  readonly batch: number;
  readonly traced: boolean;
  readonly shapes: Shapes;
}

function build(source: TfliteFile, known: ReadonlySet<number>, options: Options): Graph {
  const { name, batch, traced } = options;
  const builder = new GraphBuilder(name);
  const names = new Names();
  const context = new TfliteContext(source, builder, names, traced ? fileBatch(source, batch) : 1, known);
  for (const i of source.inputs) addInput(context, i, inputType(context.tensor(i), source, options));
  for (const operator of source.operators) {
    const op = new TfliteOp(context, operator);
    if (op.outputCount === 0) throw new IdapError("E_FORMAT", `${op.where} has no output`);
    converters[operator.code]!.convert(op);
  }
  const ports = new Names();
  for (const i of source.outputs) builder.output(outputValue(context, i), ports.fresh(source.tensors[i]!.name));
  return builder.build();
}

/** The port as the file has it, and what the graph computes with: reals for quantised integers, i32 for others. */
function addInput(context: TfliteContext, index: number, type: TensorType): void {
  const { builder, names, source } = context;
  const tensor = context.tensor(index);
  const port = builder.input(names.fresh(tensor.name), type);
  const quant = quantOf(tensor, source.file);
  const step = (op: string, attrs: object): string =>
    context.folding.node(op, [port], { ...attrs }, `${tensor.name}/${op}`)[0]!;
  if (quant) {
    const { scale, zeroPoint, axis } = quant;
    context.bind(index, step("dequantize", { scale, zeroPoint, axis }));
  } else if (type.dtype === context.dtype(index)) {
    context.bind(index, port);
  } else {
    context.bindRaw(index, port);
    context.bind(index, step("cast", { to: context.dtype(index) }));
  }
}

/** Ends of the integers that the IR has no dtype for. */
const NARROW: Readonly<Record<string, readonly [number, number]>> = {
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int4: [-8, 7],
};

/** An output in the element type of the file. */
function outputValue(context: TfliteContext, index: number): string {
  const { source } = context;
  const tensor = context.tensor(index);
  const value = context.value(index);
  const { dtype } = context.builder.typeOf(value);
  const port = fileType(tensor, source.file).port;
  if (port === dtype) return value;
  return context.shared(`output ${index}`, () => {
    const node = (op: string, x: string, attrs: object): string =>
      context.folding.node(op, [x], { ...attrs }, `${tensor.name}/${op}`)[0]!;
    const quant = quantOf(tensor, source.file);
    if (!quant) return node("cast", value, { to: port });
    const { scale, zeroPoint, axis } = quant;
    const q = node("quantize", value, { dtype: quant.dtype, scale, zeroPoint, axis, rounding: "away" });
    const range = NARROW[tensor.type];
    return range ? node("clip", q, { min: range[0], max: range[1] }) : q;
  });
}

/** The number of samples that concrete extents in the file stand for: that of an input with a free batch, if any. */
function fileBatch({ tensors, inputs, ours }: TfliteFile, batch: number): number {
  if (ours) return 1;
  const free = inputs.map((i) => tensors[i]!).find((t) => t.signature?.[0] === -1);
  return free?.shape[0] ?? batch;
}

/** Type at batch 1: axis 0 is the batch where it is free or has the extent `batch`. */
function inputType(tensor: FileTensor, { file, ours }: TfliteFile, { batch, traced, shapes }: Options): TensorType {
  const { signature } = tensor;
  const dtype = fileType(tensor, file).port;
  const free = signature?.length === tensor.shape.length ? signature.flatMap((d, i) => (d === -1 ? [i] : [])) : [];
  const shape = givenShape(tensor, file, free, shapes);
  // Our files are written for one sample and leave nothing but the batch free, on whichever axis it is.
  if (ours && traced && shape === tensor.shape && free.length <= 1) return { dtype, shape, batchAxis: free[0] ?? null };
  const other = free.find((i) => i !== 0);
  if (other !== undefined && shape === tensor.shape) {
    throw new IdapError(
      "E_SHAPE",
      `${file}: axis ${other} of input "${tensor.name}" [${signature}] has no fixed extent; only axis 0, the batch, may be free`,
      "Export the model with a fixed size, or state the shape.",
    );
  }
  if (!traced) return { dtype, shape, batchAxis: null };
  if (free.includes(0) && shape === tensor.shape) return { dtype, shape: [1, ...shape.slice(1)], batchAxis: 0 };
  if (shape.length > 0 && shape[0] === batch) return { dtype, shape: [1, ...shape.slice(1)], batchAxis: 0 };
  return { dtype, shape, batchAxis: null };
}

/** The shape that the caller states, which differs from the file's in free axes only; else that of the file. */
function givenShape(
  { name, shape }: FileTensor,
  file: string,
  free: readonly number[],
  shapes: Shapes,
): readonly number[] {
  const given = Object.hasOwn(shapes, name) ? shapes[name]! : null;
  if (!given) return shape;
  if (given.length !== shape.length || given.some((d, i) => d !== shape[i] && !free.includes(i))) {
    throw new IdapError("E_SHAPE", `${file}: input "${name}" is [${shape}], which cannot become [${given}]`);
  }
  return checkShape(given, `${file}: input "${name}"`);
}
