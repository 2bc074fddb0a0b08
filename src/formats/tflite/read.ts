import { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import type { Graph, TensorType } from "../../model/types.js";
import { withTracedBatch } from "../shared/batch.js";
import { Names } from "../shared/names.js";
import { Refusals } from "../shared/refusals.js";
import { dtypeOf, TfliteContext, TfliteOp } from "./context.js";
import { parseTflite, type FileTensor, type TfliteFile } from "./file.js";
import { converters } from "./operators/index.js";

/** "TFL3" at byte 4: the file identifier of the schema. */
export function isTflite(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && String.fromCharCode(...bytes.subarray(4, 8)) === "TFL3";
}

/**
 * Reads subgraph 0 of a float TFLite model.
 * Ports are named as the file's tensors; fused activations become nodes; SAME padding becomes numbers.
 *
 * @param name name of the graph
 * @param file name for messages
 * @param batch extent of axis 0 of the inputs that stands for the batch (1 unless the file was exported otherwise)
 */
export function readTflite(bytes: Uint8Array, name: string, file: string, batch = 1): Graph {
  const source = parseTflite(bytes, file);
  refuseQuantised(source);
  refuseUnsupported(source);
  return withTracedBatch((traced) => build(source, name, batch, traced));
}

/**
 * Throws E_QUANTISED with the first tensor whose values are quantised when the model runs. Constants may be: weights
 * of 8 bits beside float activations (dynamic range quantisation) are read as the floats that they stand for.
 */
function refuseQuantised({ file, tensors, operators, inputs, outputs }: TfliteFile): void {
  const used = new Set([...inputs, ...outputs, ...operators.flatMap((o) => [...o.inputs, ...o.outputs])]);
  for (const i of used) {
    const t = tensors[i];
    if (!t || t.data !== null) continue;
    if ((t.quantisation !== null && t.type !== "float32") || t.type === "float16") {
      throw new IdapError(
        "E_QUANTISED",
        `${file} is a quantised model (tensor "${t.name}" holds ${t.type}); only models with float32 activations are read yet`,
        "Give the float model from which it was made; what is emitted can be quantised at the end.",
      );
    }
  }
}

function refuseUnsupported(source: TfliteFile): void {
  const refusals = new Refusals(source.file);
  const context = new TfliteContext(source, new GraphBuilder("unused"), new Names(), 1);
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

function build(source: TfliteFile, name: string, batch: number, traced: boolean): Graph {
  const builder = new GraphBuilder(name);
  const names = new Names();
  const context = new TfliteContext(source, builder, names, traced ? fileBatch(source, batch) : 1);
  for (const i of source.inputs) {
    const tensor = context.tensor(i);
    const port = names.fresh(tensor.name);
    context.bind(i, builder.input(port, inputType(tensor, source.file, batch, traced)));
  }
  for (const operator of source.operators) {
    const op = new TfliteOp(context, operator);
    if (op.outputCount !== 1) {
      throw new IdapError("E_FORMAT", `${op.where} has ${op.outputCount} outputs; it must have one`);
    }
    converters[operator.code]!.convert(op);
  }
  const ports = new Names();
  for (const i of source.outputs) builder.output(context.value(i), ports.fresh(source.tensors[i]!.name));
  return builder.build();
}

/** The number of samples that concrete extents in the file stand for: that of an input with a free batch, if any. */
function fileBatch({ tensors, inputs }: TfliteFile, batch: number): number {
  const free = inputs.map((i) => tensors[i]!).find((t) => t.signature?.[0] === -1);
  return free?.shape[0] ?? batch;
}

/** Type at batch 1: axis 0 is the batch where it is free or has the extent `batch`. */
function inputType(tensor: FileTensor, file: string, batch: number, traced: boolean): TensorType {
  const dtype = dtypeOf(tensor, file);
  const { shape, signature } = tensor;
  const free = signature?.length === shape.length ? signature.flatMap((d, i) => (d === -1 ? [i] : [])) : [];
  const other = free.find((i) => i !== 0);
  if (other !== undefined) {
    throw new IdapError(
      "E_SHAPE",
      `${file}: axis ${other} of input "${tensor.name}" [${signature}] has no fixed extent; only axis 0, the batch, may be free`,
      "Export the model with a fixed size.",
    );
  }
  if (!traced) return { dtype, shape, batchAxis: null };
  if (free.includes(0)) return { dtype, shape: [1, ...shape.slice(1)], batchAxis: 0 };
  if (shape.length > 0 && shape[0] === batch) return { dtype, shape: [1, ...shape.slice(1)], batchAxis: 0 };
  return { dtype, shape, batchAxis: null };
}
