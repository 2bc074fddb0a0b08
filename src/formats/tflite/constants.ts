import { IdapError } from "../../model/errors.js";
import { sizeOf, type Dtype, type Quantisation, type Shape, type TensorData } from "../../model/types.js";
import { copyOf, floatsOf, halvesToFloats, int32sOf, int64sOf, uint16sOf } from "../shared/bytes.js";
import type { FileTensor } from "./file.js";

/** A value that is known when the file is read. */
export interface Constant {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** What a type of the file is in the IR, and how its bytes are decoded. */
interface FileType {
  readonly dtype: Dtype;
  /** Dtype of a port; integers that the IR has no arrays for are given as i32. */
  readonly port: Dtype;
  /** Bytes of `size` elements. */
  bytes(size: number): number;
  decode(bytes: Uint8Array, size: number): TensorData;
}

const whole = (width: number) => (size: number) => width * size;

function integers(port: Dtype, width: number, values: (bytes: Uint8Array) => Iterable<number>): FileType {
  return { dtype: "i32", port, bytes: whole(width), decode: (bytes) => Int32Array.from(values(bytes)) };
}

/** Two's complement nibbles, the lower one first. */
function nibbles(bytes: Uint8Array, size: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => ((bytes[i >> 1]! << (i % 2 === 0 ? 28 : 24)) & ~0xfffffff) >> 28);
}

/** 64-bit integers are computed in 32 bits; those beyond become the nearest, which "to the end" in slices means. */
function narrowed(bytes: Uint8Array): Int32Array {
  return Int32Array.from(int64sOf(bytes), (v) => Math.min(Math.max(Number(v), -(2 ** 31)), 2 ** 31 - 1));
}

const TYPES: Readonly<Record<string, FileType>> = {
  float32: { dtype: "f32", port: "f32", bytes: whole(4), decode: floatsOf },
  float16: { dtype: "f32", port: "f32", bytes: whole(2), decode: (b) => halvesToFloats(uint16sOf(b)) },
  float64: {
    dtype: "f32",
    port: "f32",
    bytes: whole(8),
    decode: (b) => Float32Array.from(new Float64Array(copyOf(b).buffer)),
  },
  bfloat16: {
    dtype: "f32",
    port: "f32",
    bytes: whole(2),
    decode: (b) => new Float32Array(Uint32Array.from(uint16sOf(b), (v) => v << 16).buffer),
  },
  int32: integers("i32", 4, int32sOf),
  int64: integers("i64", 8, narrowed),
  int16: integers("i32", 2, (b) => new Int16Array(copyOf(b).buffer)),
  uint16: integers("i32", 2, uint16sOf),
  int8: integers("i8", 1, (b) => new Int8Array(copyOf(b).buffer)),
  uint8: integers("u8", 1, (b) => b),
  int4: { dtype: "i32", port: "i32", bytes: (size) => Math.ceil(size / 2), decode: nibbles },
  bool: {
    dtype: "bool",
    port: "bool",
    bytes: whole(1),
    decode: (b) => Uint8Array.from(b, (v) => Math.min(v, 1)),
  },
};

/** How a tensor's type is read; throws where it is not. */
export function fileType({ name, type }: FileTensor, file: string): FileType {
  const known = TYPES[type];
  if (!known) throw new IdapError("E_DTYPE", `${file}: tensor "${name}" has type ${type}, which cannot be read`);
  return known;
}

/** Whether the integers of a tensor stand for reals. */
export function isQuantised({ quantisation, type }: FileTensor): boolean {
  return quantisation !== null && /^u?int/.test(type) && type !== "int64";
}

/** Element type in the IR: quantised integers are read as the floats that they stand for. */
export function dtypeOf(tensor: FileTensor, file: string): Dtype {
  return isQuantised(tensor) ? "f32" : fileType(tensor, file).dtype;
}

/** Integers of 4 bits have the scale of i8; those of 16 bits that of i32, whose range they do not leave. */
const QUANT_DTYPE: Readonly<Record<string, Quantisation["dtype"]>> = { int8: "i8", uint8: "u8", int4: "i8" };

/** The quantisation of a tensor as the IR states it; throws where it does not fit the shape. Null when there is none. */
export function quantOf(tensor: FileTensor, file: string): Quantisation | null {
  const { name, shape, quantisation, type } = tensor;
  if (!quantisation || !isQuantised(tensor)) return null;
  const scale = Array.from(quantisation.scale);
  const { zeroPoint, axis } = quantisation;
  const perAxis = scale.length > 1;
  if (zeroPoint.length > scale.length || (perAxis && shape[axis] !== scale.length)) {
    throw new IdapError(
      "E_FORMAT",
      `${file} is damaged: tensor "${name}" [${shape}] has ${scale.length} scales and ${zeroPoint.length} zero points for axis ${axis}`,
    );
  }
  if (scale.some((s) => !(s >= 0 && s < Infinity)) || zeroPoint.some((z) => !Number.isSafeInteger(z))) {
    throw new IdapError("E_FORMAT", `${file} is damaged: tensor "${name}" has an impossible scale or zero point`);
  }
  return {
    dtype: QUANT_DTYPE[type] ?? "i32",
    scale,
    zeroPoint: scale.map((_, k) => zeroPoint[k] ?? zeroPoint[0] ?? 0),
    axis: perAxis ? axis : null,
  };
}

/** Decoded copy of a constant of the file; quantised ones as the floats that they stand for. */
export function decodeConstant(tensor: FileTensor, file: string): Constant {
  const { name, shape } = tensor;
  if (tensor.sparse) {
    throw new IdapError(
      "E_UNSUPPORTED",
      `${file}: the constant "${name}" is stored sparsely, which cannot be read`,
      "Convert the model without sparse weights.",
    );
  }
  const bytes = tensor.data!;
  const size = sizeOf(shape);
  const type = fileType(tensor, file);
  if (bytes.length !== type.bytes(size)) {
    throw new IdapError(
      "E_FORMAT",
      `${file} is damaged: tensor "${name}" [${shape}] needs ${type.bytes(size)} bytes but has ${bytes.length}`,
    );
  }
  const data = type.decode(bytes, size);
  const quant = quantOf(tensor, file);
  if (!quant) return { dtype: type.dtype, shape, data };
  return { dtype: "f32", shape, data: dequantised(data as Int32Array, shape, quant) };
}

/** scale * (q - zeroPoint), rounded once to f32. */
function dequantised(q: Int32Array, shape: Shape, { scale, zeroPoint, axis }: Quantisation): Float32Array {
  const inner = axis === null ? q.length : sizeOf(shape.slice(axis + 1));
  return Float32Array.from(q, (v, i) => {
    const k = Math.floor(i / inner) % scale.length;
    return scale[k]! * (v - zeroPoint[k]!);
  });
}
