import { fromBinary } from "@bufbuild/protobuf";
import { IdapError } from "../../model/errors.js";
import { sizeOf, type Dtype, type Shape, type TensorData } from "../../model/types.js";
import { copyOf, floatsOf, halvesToFloats, int32sOf, int64sOf, uint16sOf } from "../shared/bytes.js";
import { checkShape } from "../shared/check.js";
import {
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType as T,
  type GraphProto,
  type ModelProto,
  type TensorProto,
} from "./generated/onnx_pb.js";

/** A constant of the file, decoded. */
export interface Constant {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly data: TensorData;
  /** It holds extents of computed tensors, so it may serve as a reshape's target but not as data. */
  readonly extents?: boolean;
}

/** Parses the container; knows nothing of what operators mean. */
export function parseOnnx(bytes: Uint8Array, file: string): { model: ModelProto; graph: GraphProto; opset: number } {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new IdapError(
      "E_FORMAT",
      `${file} is no ONNX model, or it is damaged or cut off (${error instanceof Error ? error.message : String(error)})`,
      "Copy or download the file again and compare its size with the source.",
    );
  }
  const opset = Number(model.opsetImport.find((o) => o.domain === "" || o.domain === "ai.onnx")?.version ?? 0n);
  if (!model.graph || model.graph.output.length === 0) {
    throw new IdapError("E_FORMAT", `${file} is no ONNX model: it holds no graph with outputs`);
  }
  if (!(opset >= 7)) {
    throw new IdapError(
      "E_FORMAT",
      `${file} uses ONNX operator set ${opset}; 7 and newer are read`,
      "Convert it with onnx.version_converter.",
    );
  }
  return { model, graph: model.graph, opset };
}

/** IR element types of ONNX ones; float16 and double become f32. */
export function dtypeOf(type: number, what: string): Dtype {
  switch (type) {
    case T.FLOAT:
    case T.FLOAT16:
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
      throw new IdapError("E_DTYPE", `${what} has type ${T[type] ?? type}, which cannot be read`);
  }
}

const WIDTH: Readonly<Record<number, number>> = {
  [T.FLOAT]: 4,
  [T.FLOAT16]: 2,
  [T.DOUBLE]: 8,
  [T.INT32]: 4,
  [T.INT64]: 8,
  [T.INT8]: 1,
  [T.UINT8]: 1,
  [T.BOOL]: 1,
};

export function dimsOf(dims: readonly bigint[], what: string): Shape {
  return checkShape(dims.map(Number), what);
}

/** Values of a tensor, whichever field they are in. */
export function decodeTensor(tensor: TensorProto, what: string): Constant {
  const dtype = dtypeOf(tensor.dataType, what);
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    throw new IdapError(
      "E_FORMAT",
      `${what} keeps its values in another file, which is not read yet`,
      "Save the model as one file: onnx.save(model, path, save_as_external_data=False).",
    );
  }
  // Empty lists occur as operands of shape operators.
  const shape = tensor.dims.length === 1 && tensor.dims[0] === 0n ? [0] : dimsOf(tensor.dims, what);
  const data = tensor.rawData.length > 0 ? decodeRaw(tensor) : decodeLists(tensor, dtype);
  if (!data || data.length !== sizeOf(shape)) {
    throw new IdapError(
      "E_FORMAT",
      `${what} is damaged: [${shape}] needs ${sizeOf(shape)} values but has ${data?.length ?? "a part of one"}`,
    );
  }
  return { dtype, shape, data };
}

/** `raw_data`: little-endian, without gaps. Null when it ends inside a value. */
function decodeRaw({ dataType, rawData }: TensorProto): TensorData | null {
  if (rawData.length % WIDTH[dataType]! !== 0) return null;
  switch (dataType) {
    case T.FLOAT:
      return floatsOf(rawData);
    case T.FLOAT16:
      return halvesToFloats(uint16sOf(rawData));
    case T.DOUBLE:
      return Float32Array.from(new Float64Array(copyOf(rawData).buffer));
    case T.INT32:
      return int32sOf(rawData);
    case T.INT64:
      return int64sOf(rawData);
    case T.INT8:
      return new Int8Array(copyOf(rawData).buffer);
    default:
      return copyOf(rawData);
  }
}

/** The typed lists; float16 values are bit patterns in `int32_data`. */
function decodeLists(tensor: TensorProto, dtype: Dtype): TensorData {
  switch (dtype) {
    case "f32":
      if (tensor.dataType === T.FLOAT16) return halvesToFloats(tensor.int32Data);
      return Float32Array.from(tensor.dataType === T.DOUBLE ? tensor.doubleData : tensor.floatData);
    case "i64":
      return BigInt64Array.from(tensor.int64Data);
    case "i32":
      return Int32Array.from(tensor.int32Data);
    case "i8":
      return Int8Array.from(tensor.int32Data);
    default:
      return Uint8Array.from(tensor.int32Data);
  }
}
