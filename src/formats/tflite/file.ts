import { IdapError } from "../../model/errors.js";
import { FlatFile, type FlatTable } from "./flat.js";
import { DESCRIPTION, F, OPERATORS, TENSOR_TYPES } from "./schema.js";

/** What the file says of a tensor, checked for form. */
export interface FileTensor {
  readonly name: string;
  /** Not checked yet: scratch tensors that no operator here uses may have extents of 0. */
  readonly shape: readonly number[];
  /** The shape with -1 where the extent is free; null when the file has none. */
  readonly signature: readonly number[] | null;
  readonly type: string;
  /** Raw bytes of a constant, null for an activation. */
  readonly data: Uint8Array | null;
  /** Affine quantisation: its integers stand for scale * (q - zeroPoint); null when it has none. */
  readonly quantisation: FileQuantisation | null;
  readonly variable: boolean;
  readonly sparse: boolean;
}

export interface FileQuantisation {
  /** One entry, or one for each index of `axis`. */
  readonly scale: Float32Array;
  readonly zeroPoint: readonly number[];
  readonly axis: number;
}

export interface FileOperator {
  /** BuiltinOperator's name; custom operators as `CUSTOM name`. */
  readonly code: string;
  /** Indices of tensors; -1 for an absent optional one. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: FlatTable | null;
}

/** Subgraph 0 of a TFLite file; the other ones are bodies of control flow, which is not read. */
export interface TfliteFile {
  readonly file: string;
  readonly size: number;
  /** Written by us: every -1 of a target stands on the batch axis. */
  readonly ours: boolean;
  readonly tensors: readonly FileTensor[];
  readonly operators: readonly FileOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** More operands than any real operator has, so that a damaged list cannot cost quadratic time. */
const MAX_OPERANDS = 1024;
const MAX_RANK = 8;

/** Parses and checks the container; knows nothing of what operators mean. */
export function parseTflite(bytes: Uint8Array, file: string): TfliteFile {
  const flat = new FlatFile(bytes, file);
  const model = flat.root();
  const version = model.u32(F.Model.version);
  if (version !== 3) throw new IdapError("E_FORMAT", `${file} has TFLite schema version ${version}; 3 is read`);
  const [subgraph] = model.tables(F.Model.subgraphs);
  if (!subgraph) throw flat.damaged("it holds no graph");

  const codes = model.tables(F.Model.operatorCodes).map((table) => {
    // Writers of newer files store codes above 127 in the second field alone.
    const code = Math.max(table.i8(F.OperatorCode.deprecatedBuiltinCode), table.i32(F.OperatorCode.builtinCode));
    const name = OPERATORS[code] ?? `BUILTIN_${code}`;
    return name === "CUSTOM" ? `CUSTOM ${table.string(F.OperatorCode.customCode)}` : name;
  });
  const buffers = model.tables(F.Model.buffers);
  const tensors = subgraph.tables(F.SubGraph.tensors).map((t, i) => parseTensor(flat, t, i, buffers));
  const index = (i: number): number => {
    if (i < -1 || i >= tensors.length) throw flat.damaged(`it refers to tensor ${i} of ${tensors.length}`);
    return i;
  };
  const operators = subgraph.tables(F.SubGraph.operators).map((table): FileOperator => {
    const opcode = table.u32(F.Operator.opcodeIndex);
    const code = codes[opcode];
    if (code === undefined) throw flat.damaged(`it refers to operator code ${opcode} of ${codes.length}`);
    return {
      code,
      inputs: (table.ints(F.Operator.inputs, MAX_OPERANDS) ?? []).map(index),
      outputs: (table.ints(F.Operator.outputs, MAX_OPERANDS) ?? []).map(index),
      options: table.table(F.Operator.builtinOptions),
    };
  });
  const ports = (id: number): number[] => {
    const list = subgraph.ints(id, MAX_OPERANDS) ?? [];
    if (list.length === 0) throw flat.damaged("its graph has no inputs or no outputs");
    if (list.includes(-1)) throw flat.damaged("an input or output of its graph is missing");
    return list.map(index);
  };
  return {
    file,
    size: bytes.length,
    ours: model.string(F.Model.description) === DESCRIPTION,
    tensors,
    operators,
    inputs: ports(F.SubGraph.inputs),
    outputs: ports(F.SubGraph.outputs),
  };
}

function parseTensor(flat: FlatFile, table: FlatTable, index: number, buffers: readonly FlatTable[]): FileTensor {
  const name = table.string(F.Tensor.name) || `tensor_${index}`;
  const bufferIndex = table.u32(F.Tensor.buffer);
  const buffer = buffers[bufferIndex];
  if (!buffer) throw flat.damaged(`tensor "${name}" refers to buffer ${bufferIndex} of ${buffers.length}`);
  let data = buffer.bytes(F.Buffer.data);
  // Files above 2 GiB keep constants behind the FlatBuffer, at (offset, size); smaller values mean "not used".
  const offset = buffer.u64(F.Buffer.offset);
  if (offset > 1) {
    const size = buffer.u64(F.Buffer.size);
    flat.check(offset, size, `the data of tensor "${name}"`);
    data = flat.bytes.subarray(offset, offset + size);
  }
  const typeNumber = table.i8(F.Tensor.type);
  const type = TENSOR_TYPES[typeNumber];
  if (type === undefined) throw flat.damaged(`tensor "${name}" has the unknown type ${typeNumber}`);
  return {
    name,
    shape: table.ints(F.Tensor.shape, MAX_RANK) ?? [],
    signature: table.ints(F.Tensor.shapeSignature, MAX_RANK),
    type,
    data: data && data.length > 0 ? data : null,
    quantisation: parseQuantisation(table.table(F.Tensor.quantization)),
    variable: table.bool(F.Tensor.isVariable),
    sparse: table.has(F.Tensor.sparsity),
  };
}

/** More scales than any real layer has channels. */
const MAX_SCALES = 1 << 20;

function parseQuantisation(table: FlatTable | null): FileQuantisation | null {
  const scale = table?.floats(F.Quantization.scale, MAX_SCALES) ?? null;
  if (!table || !scale || scale.length === 0) return null;
  const zeroPoint = table.longs(F.Quantization.zeroPoint, MAX_SCALES) ?? [];
  return { scale, zeroPoint, axis: table.i32(F.Quantization.axis) };
}
