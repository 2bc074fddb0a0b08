import { ReferenceExecutor } from "../../../../src/host/reference.js";
import type { Emitter } from "../../../../src/formats/shared/decompose/emit.js";
import { GraphBuilder } from "../../../../src/model/builder.js";
import type { Random } from "../../../../src/model/random.js";
import { shapeAt, sizeOf, type TensorRecord, type TensorType, type TensorValue } from "../../../../src/model/types.js";

export const f32 = (shape: number[], batchAxis: number | null = null): TensorType => ({
  dtype: "f32",
  shape,
  batchAxis,
});

/** Small whole numbers: sums and products of them are exact. */
export function whole(random: Random, type: TensorType, batch = 1): TensorValue {
  const shape = shapeAt(type, batch);
  const values = Array.from({ length: sizeOf(shape) }, () => Math.floor(random.next() * 19) - 9);
  return { data: type.dtype === "f32" ? Float32Array.from(values) : Int32Array.from(values), shape, dtype: type.dtype };
}

/** What a decomposition gives for the values `inputs` of the given types. */
export async function decomposed(
  types: readonly TensorType[],
  inputs: readonly TensorValue[],
  decompose: (e: Emitter, tensors: readonly string[]) => readonly string[],
): Promise<TensorValue[]> {
  const builder = new GraphBuilder("decomposed");
  const tensors = types.map((type, i) => builder.input(`x${i}`, type));
  const e: Emitter = {
    emit: (op, operands, attrs) => builder.node(op, operands, attrs)[0]!,
    typeOf: (tensor) => builder.typeOf(tensor),
    constant: (shape, data) => builder.constant("c", data instanceof Float32Array ? "f32" : "i32", shape, data),
  };
  const outputs = decompose(e, tensors);
  outputs.forEach((tensor, i) => builder.output(tensor, `y${i}`));
  const record: TensorRecord = Object.fromEntries(inputs.map((value, i) => [`x${i}`, value]));
  const result = await new ReferenceExecutor(builder.build()).run(record);
  return outputs.map((_, i) => result[`y${i}`]!);
}

/** The values, with one zero: sums of products with -0 may give either. */
export const numbers = (value: TensorValue): number[] => Array.from(value.data as ArrayLike<number>, (v) => v + 0);
