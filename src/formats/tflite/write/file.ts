import { Builder } from "flatbuffers";
import type { Dtype, Shape } from "../../../model/types.js";
import { DESCRIPTION, F, OPERATORS, TENSOR_TYPES } from "../schema.js";

/** One field of a table of options, by its id in the schema. */
export type Option =
  | { readonly id: number; readonly i8: number }
  | { readonly id: number; readonly i32: number }
  | { readonly id: number; readonly f32: number };

export interface OutTensor {
  name: string;
  readonly dtype: Dtype;
  /** At batch 1. */
  readonly shape: Shape;
  /** Axis whose extent is free. */
  readonly batchAxis: number | null;
  /** Bytes of a constant. */
  readonly data?: Uint8Array;
  /** Affine quantisation of an interface tensor. */
  quant?: { readonly scale: readonly number[]; readonly zeroPoint: readonly number[]; readonly axis: number | null };
  /** State of the interpreter: it starts as zeros. */
  readonly variable?: boolean;
}

export interface OutOperator {
  readonly code: string;
  /** Member of the union of options, 0 for none. */
  readonly union: number;
  readonly options: readonly Option[];
  /** Positions of tensors; -1 for an absent operand. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface OutFile {
  readonly name: string;
  readonly tensors: readonly OutTensor[];
  readonly operators: readonly OutOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const TYPE: Readonly<Record<Dtype, string>> = {
  f32: "float32",
  i32: "int32",
  i64: "int64",
  i8: "int8",
  u8: "uint8",
  bool: "bool",
};

/** Version of the schema; the only one there is. */
const VERSION = 3;
/** Constants are read in place, by vector instructions too. */
const ALIGNMENT = 16;
/** Codes above this stand in the second field alone. */
const LAST_SMALL_CODE = 127;

/** Writes tables bottom up: whatever a table refers to is written before it. */
class Tables {
  readonly b = new Builder(1 << 16);

  table(count: number, fields: readonly (() => void)[]): number {
    this.b.startObject(count);
    for (const field of fields) field();
    return this.b.endObject();
  }

  private list(values: readonly number[], bytes: number, add: (value: number) => void): number {
    this.b.startVector(bytes, values.length, bytes);
    for (let i = values.length - 1; i >= 0; i--) add(values[i]!);
    return this.b.endVector();
  }

  offsets(values: readonly number[]): number {
    return this.list(values, 4, (v) => this.b.addOffset(v));
  }

  ints(values: readonly number[]): number {
    return this.list(values, 4, (v) => this.b.addInt32(v));
  }

  longs(values: readonly number[]): number {
    return this.list(values, 8, (v) => this.b.addInt64(BigInt(v)));
  }

  floats(values: readonly number[]): number {
    return this.list(values, 4, (v) => this.b.addFloat32(v));
  }

  bytes(values: Uint8Array): number {
    this.b.prep(ALIGNMENT, values.length);
    return this.b.createByteVector(values);
  }
}

function buffers(t: Tables, tensors: readonly OutTensor[]): number {
  // The first buffer is empty by convention: it is that of all tensors without data.
  const list = [t.table(1, [])];
  for (const { data } of tensors) {
    if (!data) continue;
    const bytes = t.bytes(data);
    list.push(t.table(1, [() => t.b.addFieldOffset(F.Buffer.data, bytes, 0)]));
  }
  return t.offsets(list);
}

function quantisation(t: Tables, quant: NonNullable<OutTensor["quant"]>): number {
  const scale = t.floats(quant.scale);
  const zeroPoint = t.longs(quant.scale.map((_, i) => quant.zeroPoint[i] ?? quant.zeroPoint[0]!));
  return t.table(7, [
    () => t.b.addFieldOffset(F.Quantization.scale, scale, 0),
    () => t.b.addFieldOffset(F.Quantization.zeroPoint, zeroPoint, 0),
    () => t.b.addFieldInt32(F.Quantization.axis, quant.axis ?? 0, 0),
  ]);
}

function tensorTables(t: Tables, tensors: readonly OutTensor[]): number {
  let buffer = 0;
  const list = tensors.map(({ name, dtype, shape, batchAxis, data, quant, variable }) => {
    const extents = t.ints(shape);
    const signature = batchAxis === null ? 0 : t.ints(shape.map((d, i) => (i === batchAxis ? -1 : d)));
    const called = t.b.createString(name);
    const scales = quant ? quantisation(t, quant) : 0;
    const number = data ? ++buffer : 0;
    return t.table(8, [
      () => t.b.addFieldOffset(F.Tensor.shape, extents, 0),
      () => t.b.addFieldInt8(F.Tensor.type, TENSOR_TYPES.indexOf(TYPE[dtype]), 0),
      () => t.b.addFieldInt32(F.Tensor.buffer, number, 0),
      () => t.b.addFieldOffset(F.Tensor.name, called, 0),
      () => t.b.addFieldOffset(F.Tensor.quantization, scales, 0),
      () => t.b.addFieldInt8(F.Tensor.isVariable, variable ? 1 : 0, 0),
      () => t.b.addFieldOffset(F.Tensor.shapeSignature, signature, 0),
    ]);
  });
  return t.offsets(list);
}

function options(t: Tables, list: readonly Option[]): number {
  const count = Math.max(0, ...list.map((o) => o.id + 1));
  // Defaults of the schema are not all 0, so every field is written as it is.
  t.b.forceDefaults(true);
  const table = t.table(
    count,
    list.map((o) => () => {
      if ("i8" in o) t.b.addFieldInt8(o.id, o.i8, 0);
      else if ("i32" in o) t.b.addFieldInt32(o.id, o.i32, 0);
      else t.b.addFieldFloat32(o.id, o.f32, 0);
    }),
  );
  t.b.forceDefaults(false);
  return table;
}

function operatorTables(t: Tables, operators: readonly OutOperator[], codes: readonly string[]): number {
  const list = operators.map((o) => {
    const inputs = t.ints(o.inputs);
    const outputs = t.ints(o.outputs);
    const table = o.union === 0 ? 0 : options(t, o.options);
    return t.table(5, [
      () => t.b.addFieldInt32(F.Operator.opcodeIndex, codes.indexOf(o.code), 0),
      () => t.b.addFieldOffset(F.Operator.inputs, inputs, 0),
      () => t.b.addFieldOffset(F.Operator.outputs, outputs, 0),
      () => t.b.addFieldInt8(F.Operator.builtinOptionsType, o.union, 0),
      () => t.b.addFieldOffset(F.Operator.builtinOptions, table, 0),
    ]);
  });
  return t.offsets(list);
}

/** The bytes of a model with one subgraph; they depend on the argument alone. */
export function fileBytes({ name, tensors, operators, inputs, outputs }: OutFile): Uint8Array {
  const t = new Tables();
  const codes = [...new Set(operators.map((o) => o.code))];
  const data = buffers(t, tensors);
  const tensorList = tensorTables(t, tensors);
  const operatorList = operatorTables(t, operators, codes);
  const [ins, outs] = [t.ints(inputs), t.ints(outputs)];
  const called = t.b.createString(name);
  const graph = t.table(5, [
    () => t.b.addFieldOffset(F.SubGraph.tensors, tensorList, 0),
    () => t.b.addFieldOffset(F.SubGraph.inputs, ins, 0),
    () => t.b.addFieldOffset(F.SubGraph.outputs, outs, 0),
    () => t.b.addFieldOffset(F.SubGraph.operators, operatorList, 0),
    () => t.b.addFieldOffset(F.SubGraph.name, called, 0),
  ]);
  const codeTables = codes.map((code) => {
    const number = OPERATORS.indexOf(code);
    return t.table(4, [
      () => t.b.addFieldInt8(F.OperatorCode.deprecatedBuiltinCode, Math.min(number, LAST_SMALL_CODE), 0),
      () => t.b.addFieldInt32(F.OperatorCode.version, 1, 1),
      () => t.b.addFieldInt32(F.OperatorCode.builtinCode, number, 0),
    ]);
  });
  const codeList = t.offsets(codeTables);
  const graphs = t.offsets([graph]);
  const description = t.b.createString(DESCRIPTION);
  const root = t.table(5, [
    () => t.b.addFieldInt32(F.Model.version, VERSION, 0),
    () => t.b.addFieldOffset(F.Model.operatorCodes, codeList, 0),
    () => t.b.addFieldOffset(F.Model.subgraphs, graphs, 0),
    () => t.b.addFieldOffset(F.Model.description, description, 0),
    () => t.b.addFieldOffset(F.Model.buffers, data, 0),
  ]);
  t.b.finish(root, "TFL3");
  return t.b.asUint8Array().slice();
}
