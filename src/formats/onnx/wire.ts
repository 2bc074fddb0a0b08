/** The container of an ONNX file: protocol buffer messages and tensors. Knows nothing of what operators mean. */
import { fromBinary } from "@bufbuild/protobuf";
import { IdapError } from "../../model/errors.js";
import { sizeOf, type Dtype, type Quantisation, type Shape, type TensorData } from "../../model/types.js";
import { copyOf, halvesToFloats } from "../shared/bytes.js";
import { checkShape } from "../shared/check.js";
import {
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType as T,
  ValueInfoProtoSchema,
  type FunctionProto,
  type NodeProto,
  type OperatorSetIdProto,
  type TensorProto,
  type ValueInfoProto,
} from "./generated/onnx_pb.js";

/** A constant of the file, decoded. */
export interface Constant {
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** May be a view of the file and may be decoded anew each time: take it once. */
  readonly data: TensorData;
  /** What it is at another batch, where it depends on the batch: extents of computed tensors and what follows. */
  readonly alt?: Constant;
  /** Integers that the file keeps for it. */
  readonly quant?: Quantisation;
}

/** Bytes of another file of the model's folder; throws what the user is to read when there is none. */
export type LoadSibling = (relative: string) => Uint8Array;

/** A tensor of the file whose values have not been touched. */
export interface StoredTensor {
  /** All but long lists. */
  readonly proto: TensorProto;
  /** Packed lists by field number, in pieces. */
  readonly packed: ReadonlyMap<number, readonly Uint8Array[]>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly StoredTensor[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Version of the default operator set. */
  readonly opset: number;
  readonly producer: string;
  readonly functions: readonly FunctionProto[];
}

/** Field numbers of the messages that are walked field by field. */
const MODEL_GRAPH = 7;
const MODEL_FUNCTION = 25;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12, sparse: 15 } as const;
const LISTS = { float: 4, int32: 5, int64: 7, double: 10, uint64: 11 } as const;
const LIST_FIELDS: ReadonlySet<number> = new Set(Object.values(LISTS));

interface Field {
  readonly number: number;
  readonly wire: number;
  /** The whole field with its tag. */
  readonly whole: Uint8Array;
  /** What follows tag and length (wire type 2 only). */
  readonly body: Uint8Array;
}

/** The fields of one message, as views: the generated reader would build every list before one value is used. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= bytes.length) throw new RangeError("it ends inside a number");
      const b = bytes[at++]!;
      if (shift < 49) value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    throw new RangeError("a number has too many bytes");
  };
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag & 7;
    if (number === 0) throw new RangeError("a field has the number 0");
    let from = at;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      from = at;
      at += length;
    } else throw new RangeError(`a field has the wire type ${wire}`);
    if (at > bytes.length) throw new RangeError("a field ends behind the file");
    yield { number, wire, whole: bytes.subarray(start, at), body: bytes.subarray(from, at) };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function storedTensor(bytes: Uint8Array): StoredTensor {
  const packed = new Map<number, Uint8Array[]>();
  const rest: Uint8Array[] = [];
  let raw: Uint8Array | null = null;
  for (const { number, wire, whole, body } of fieldsOf(bytes)) {
    if (number === 9 && wire === 2) raw = body;
    else if (wire === 2 && LIST_FIELDS.has(number)) packed.set(number, [...(packed.get(number) ?? []), body]);
    else rest.push(whole);
  }
  const proto = fromBinary(TensorProtoSchema, joined(rest));
  if (raw) proto.rawData = raw;
  return { proto, packed };
}

/** Tensors inside attributes have been read whole. */
function storedFrom(proto: TensorProto): StoredTensor {
  return { proto, packed: new Map() };
}

function graphOf(parts: readonly Uint8Array[]): OnnxGraph & { sparse: boolean } {
  const nodes: NodeProto[] = [];
  const initializers: StoredTensor[] = [];
  const inputs: ValueInfoProto[] = [];
  const outputs: ValueInfoProto[] = [];
  let name = "";
  let sparse = false;
  for (const part of parts)
    for (const { number, wire, whole, body } of fieldsOf(part)) {
      if (wire !== 2) continue;
      if (number === GRAPH.node) nodes.push(fromBinary(NodeProtoSchema, body));
      else if (number === GRAPH.initializer) initializers.push(storedTensor(body));
      else if (number === GRAPH.input) inputs.push(fromBinary(ValueInfoProtoSchema, body));
      else if (number === GRAPH.output) outputs.push(fromBinary(ValueInfoProtoSchema, body));
      else if (number === GRAPH.name) name = fromBinary(GraphProtoSchema, whole).name;
      else if (number === GRAPH.sparse) sparse = true;
    }
  return { name, nodes, initializers, inputs, outputs, sparse };
}

/** Parses the container; values of tensors stay where they are in the file. */
export function parseOnnx(bytes: Uint8Array, file: string): OnnxModel {
  let header;
  let graph;
  const functions: FunctionProto[] = [];
  try {
    const rest: Uint8Array[] = [];
    const graphs: Uint8Array[] = [];
    for (const field of fieldsOf(bytes)) {
      if (field.number === MODEL_GRAPH && field.wire === 2) graphs.push(field.body);
      else if (field.number === MODEL_FUNCTION && field.wire === 2) {
        functions.push(fromBinary(FunctionProtoSchema, field.body));
      } else rest.push(field.whole);
    }
    header = fromBinary(ModelProtoSchema, joined(rest));
    graph = graphOf(graphs);
  } catch (error) {
    throw new IdapError(
      "E_FORMAT",
      `${file} is no ONNX model, or it is damaged or cut off (${error instanceof Error ? error.message : String(error)})`,
      "Copy or download the file again and compare its size with the source.",
    );
  }
  if (graph.outputs.length === 0) {
    throw new IdapError("E_FORMAT", `${file} is no ONNX model: it holds no graph with outputs`);
  }
  const opset = opsetOf(header.opsetImport, graph.nodes, file);
  if (graph.sparse) {
    throw new IdapError(
      "E_UNSUPPORTED",
      `${file} has sparse constants, which cannot be read`,
      "Export the model with dense weights.",
    );
  }
  return { graph, opset, producer: header.producerName, functions };
}

/** Operators that have not changed from the operator set on that stands beside them. */
const UNCHANGED: Readonly<Record<string, number>> = {
  ...{ Not: 1, Softplus: 1, Softsign: 1, GlobalAveragePool: 1, GlobalMaxPool: 1, Identity: 1, Constant: 1, Conv: 1 },
  ...{ Transpose: 1, Softmax: 1, LRN: 1, InstanceNormalization: 6, Abs: 6, Ceil: 6, Exp: 6, Floor: 6, Log: 6 },
  ...{ Neg: 6, Reciprocal: 6, Relu: 6, Sigmoid: 6, Sqrt: 6, Tanh: 6, LeakyRelu: 6, Elu: 6, Selu: 6, HardSigmoid: 6 },
  ...{ Reshape: 5, Tile: 6, Concat: 4, Flatten: 1, MaxPool: 1, LpPool: 2, GlobalLpPool: 2, Clip: 6 },
};

/** Version of the default operator set; a file that uses none of it states none. */
function opsetOf(imports: readonly OperatorSetIdProto[], nodes: readonly NodeProto[], file: string): number {
  const stated = imports.find((o) => o.domain === "" || o.domain === "ai.onnx");
  const own = nodes.filter((n) => n.domain === "" || n.domain === "ai.onnx");
  if (!stated && imports.length > 0 && own.length === 0) return NEWEST;
  const opset = Number(stated?.version ?? 0n);
  const readable = opset >= 7 || (opset >= 1 && own.every((n) => (UNCHANGED[n.opType] ?? 7) <= opset));
  if (!readable) {
    throw new IdapError(
      "E_FORMAT",
      `${file} uses ONNX operator set ${opset}; 7 and newer are read`,
      "Convert it with onnx.version_converter.",
    );
  }
  return opset;
}

/** What operators that the file takes from other sets only are read as. */
const NEWEST = 28;

/** Element types that the generated file does not name yet. */
const UINT4 = 21;
const INT4 = 22;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [UINT4]: "UINT4",
  [INT4]: "INT4",
  19: "FLOAT8E5M2",
  20: "FLOAT8E5M2FNUZ",
  23: "FLOAT4E2M1",
  24: "FLOAT8E8M0",
};

export function typeName(type: number): string {
  return TYPE_NAMES[type] ?? T[type] ?? String(type);
}

/** IR element types of ONNX ones at the interface and in casts; float16, bfloat16 and double become f32. */
export function dtypeOf(type: number, what: string): Dtype {
  switch (type) {
    case T.FLOAT:
    case T.FLOAT16:
    case T.BFLOAT16:
    case T.DOUBLE:
      return "f32";
    case T.INT32:
      return "i32";
    case T.INT64:
      return "i64";
    case T.INT8:
      return "i8";
    case T.UINT8:
      return "u8";
    case T.BOOL:
      return "bool";
    default:
      throw new IdapError("E_DTYPE", `${what} has type ${typeName(type)}, which cannot be read`);
  }
}

/** Constants may besides have integer types that a wider one of ours holds. */
function constantDtype(type: number, what: string): Dtype {
  if (type === T.INT16 || type === T.UINT16) return "i32";
  if (type === T.UINT32 || type === T.UINT64) return "i64";
  if (type === INT4) return "i8";
  if (type === UINT4) return "u8";
  return dtypeOf(type, what);
}

/** Bits of one value. */
function bitsOf(type: number): number {
  switch (type) {
    case T.DOUBLE:
    case T.INT64:
    case T.UINT64:
      return 64;
    case T.FLOAT16:
    case T.BFLOAT16:
    case T.INT16:
    case T.UINT16:
      return 16;
    case T.INT8:
    case T.UINT8:
    case T.BOOL:
      return 8;
    case INT4:
    case UINT4:
      return 4;
    default:
      return 32;
  }
}

export function dimsOf(dims: readonly bigint[], what: string): Shape {
  return checkShape(dims.map(Number), what);
}

/** The large tensor that was decoded last; the ones before it are dropped. */
export interface Recent {
  of?: Constant;
  data?: TensorData;
}

/** Bytes up to which decoded values are kept. */
const SMALL = 1 << 14;

/**
 * A tensor as a constant whose values are decoded when they are asked for, and soon dropped again where they are many: a
 * file of 100 MB must not be held twice.
 */
export function lazyTensor(
  stored: StoredTensor | TensorProto,
  what: string,
  { load, recent = {} }: { load?: LoadSibling | undefined; recent?: Recent } = {},
): Constant {
  const tensor = "proto" in stored ? stored : storedFrom(stored);
  const { dataType, dims } = tensor.proto;
  const dtype = constantDtype(dataType, what);
  // Empty lists occur as operands of shape operators.
  const shape = dims.length === 1 && dims[0] === 0n ? [0] : dimsOf(dims, what);
  const size = sizeOf(shape);
  const external = tensor.proto.dataLocation === TensorProto_DataLocation.EXTERNAL;
  const raw = external || tensor.proto.rawData.length > 0;
  if (!external) checkLength(tensor, size, shape, what);
  let small: TensorData | null = null;
  const constant: Constant = {
    dtype,
    shape,
    get data(): TensorData {
      if (small) return small;
      if (recent.of === constant) return recent.data!;
      const bytes = external ? externalBytes(tensor.proto, size, what, load) : tensor.proto.rawData;
      const data = raw ? decodeRaw(bytes, dataType, size) : decodeLists(tensor, dtype);
      if (data.length !== size) throw wrongLength(shape, size, data.length, what);
      if (data.byteLength <= SMALL) small = data;
      else Object.assign(recent, { of: constant, data });
      return data;
    },
  };
  return constant;
}

export function decodeTensor(stored: StoredTensor | TensorProto, what: string, load?: LoadSibling): Constant {
  const { dtype, shape, data } = lazyTensor(stored, what, { load });
  return { dtype, shape, data };
}

function wrongLength(shape: Shape, size: number, found: number, what: string): IdapError {
  const has = Number.isInteger(found) ? found : "a part of one";
  return new IdapError("E_FORMAT", `${what} is damaged: [${shape}] needs ${size} values but has ${has}`);
}

/** As far as it can be told without decoding. */
function checkLength({ proto, packed }: StoredTensor, size: number, shape: Shape, what: string): void {
  const bits = bitsOf(proto.dataType);
  if (proto.rawData.length > 0) {
    const found = (proto.rawData.length * 8) / bits;
    if (bits < 8 ? proto.rawData.length !== Math.ceil((size * bits) / 8) : found !== size) {
      throw wrongLength(shape, size, found, what);
    }
    return;
  }
  // Every value of a list takes a byte at least.
  const bytes = [...packed.values()].flat().reduce((n, p) => n + p.length, 0);
  const loose =
    proto.floatData.length +
    proto.int32Data.length +
    proto.int64Data.length +
    proto.doubleData.length +
    proto.uint64Data.length;
  const fits = bits < 8 ? 2 * (bytes + loose) + 1 >= size : bytes + loose >= size;
  if (!fits) throw wrongLength(shape, size, loose + bytes, what);
}

/** Values that lie in another file: `location` relative to the model, from `offset` on, `length` bytes. */
function externalBytes(proto: TensorProto, size: number, what: string, load?: LoadSibling): Uint8Array {
  const entries = new Map(proto.externalData.map((e) => [e.key, e.value]));
  const location = entries.get("location") ?? "";
  if (location === "" || !load) {
    throw new IdapError("E_FORMAT", `${what} keeps its values in another file but does not say in which`);
  }
  const bytes = load(location);
  const needed = Math.ceil((size * bitsOf(proto.dataType)) / 8);
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? needed);
  if (!Number.isSafeInteger(offset) || offset < 0 || length !== needed) {
    throw new IdapError(
      "E_FORMAT",
      `${what} is damaged: it needs ${needed} bytes of ${location}, but the file states offset ${entries.get("offset")} and length ${entries.get("length")}`,
    );
  }
  if (offset + length > bytes.length) {
    throw new IdapError(
      "E_FORMAT",
      `${what} needs ${length} bytes at ${offset} of ${location}, which has only ${bytes.length}`,
      "Copy the model together with its whole data file.",
    );
  }
  return bytes.subarray(offset, offset + length);
}

/** A view where the bytes lie at a multiple of the width, else a copy. Machines that run this are little-endian. */
function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : copyOf(bytes);
}

const floats32 = (b: Uint8Array): Float32Array => {
  const a = aligned(b, 4);
  return new Float32Array(a.buffer, a.byteOffset, a.length >> 2);
};
const ints32 = (b: Uint8Array): Int32Array => {
  const a = aligned(b, 4);
  return new Int32Array(a.buffer, a.byteOffset, a.length >> 2);
};
const ints64 = (b: Uint8Array): BigInt64Array => {
  const a = aligned(b, 8);
  return new BigInt64Array(a.buffer, a.byteOffset, a.length >> 3);
};
const words16 = (b: Uint8Array): Uint16Array => {
  const a = aligned(b, 2);
  return new Uint16Array(a.buffer, a.byteOffset, a.length >> 1);
};

/** bfloat16 is the upper half of an f32. */
function bfloatsToFloats(words: ArrayLike<number>): Float32Array {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < bits.length; i++) bits[i] = words[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** Two values a byte, the first in the low half. */
function nibbles(bytes: ArrayLike<number>, size: number, signed: boolean): Int8Array | Uint8Array {
  const out = signed ? new Int8Array(size) : new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const half = (bytes[i >> 1]! >> ((i & 1) * 4)) & 15;
    out[i] = signed && half > 7 ? half - 16 : half;
  }
  return out;
}

/** `raw_data`: little-endian, without gaps. Its length has been checked. */
function decodeRaw(bytes: Uint8Array, dataType: number, size: number): TensorData {
  switch (dataType) {
    case T.FLOAT:
      return floats32(bytes);
    case T.FLOAT16:
      return halvesToFloats(words16(bytes));
    case T.BFLOAT16:
      return bfloatsToFloats(words16(bytes));
    case T.DOUBLE:
      return Float32Array.from(new Float64Array(copyOf(bytes).buffer));
    case T.INT32:
      return ints32(bytes);
    case T.UINT32: {
      const words = ints32(bytes);
      return BigInt64Array.from(words, (v) => BigInt(v >>> 0));
    }
    case T.INT64:
    case T.UINT64:
      return ints64(bytes);
    case T.INT16: {
      const words = words16(bytes);
      return Int32Array.from(words, (v) => (v << 16) >> 16);
    }
    case T.UINT16:
      return Int32Array.from(words16(bytes));
    case T.INT8:
      return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    case INT4:
    case UINT4:
      return nibbles(bytes, size, dataType === INT4);
    default:
      return bytes;
  }
}

/** Varints of a packed list, as signed 64-bit numbers. */
function varints(parts: readonly Uint8Array[]): bigint[] {
  const out: bigint[] = [];
  for (const bytes of parts) {
    for (let at = 0; at < bytes.length;) {
      let low = 0;
      let high = 0;
      let shift = 0;
      let b;
      do {
        b = bytes[at++] ?? 0;
        if (shift < 28) low += (b & 0x7f) * 2 ** shift;
        else high += (b & 0x7f) * 2 ** (shift - 28);
        shift += 7;
      } while (b >= 0x80 && shift < 70);
      out.push(BigInt.asIntN(64, BigInt(low) + (BigInt(high) << 28n)));
    }
  }
  return out;
}

/** The typed lists; what has fewer than 32 bits is in `int32_data`, float16 and bfloat16 as bit patterns. */
function decodeLists({ proto, packed }: StoredTensor, dtype: Dtype): TensorData {
  const list = (field: number): readonly Uint8Array[] => packed.get(field) ?? [];
  const size = sizeOf(proto.dims.map(Number));
  if (dtype === "f32" && proto.dataType === T.FLOAT) {
    return list(LISTS.float).length > 0 ? floats32(joined(list(LISTS.float))) : Float32Array.from(proto.floatData);
  }
  if (proto.dataType === T.DOUBLE) {
    const packedDoubles = joined(list(LISTS.double));
    if (packedDoubles.length % 8 !== 0) return new Float32Array(0);
    return Float32Array.from(
      packedDoubles.length > 0 ? new Float64Array(packedDoubles.buffer as ArrayBuffer) : proto.doubleData,
    );
  }
  if (dtype === "i64") {
    if (proto.dataType !== T.INT64) {
      return BigInt64Array.from(proto.uint64Data.length > 0 ? proto.uint64Data : varints(list(LISTS.uint64)));
    }
    return BigInt64Array.from(proto.int64Data.length > 0 ? proto.int64Data : varints(list(LISTS.int64)));
  }
  const ints = proto.int32Data.length > 0 ? proto.int32Data : varints(list(LISTS.int32)).map(Number);
  switch (proto.dataType) {
    case T.FLOAT16:
      return halvesToFloats(ints);
    case T.BFLOAT16:
      return bfloatsToFloats(ints);
    case INT4:
    case UINT4:
      return nibbles(ints, size, proto.dataType === INT4);
  }
  if (dtype === "i32") return Int32Array.from(ints);
  if (dtype === "i8") return Int8Array.from(ints);
  return Uint8Array.from(ints);
}
