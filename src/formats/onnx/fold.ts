import { allocate, sizeOf, stridesOf, type Dtype, type Quantisation, type TensorData } from "../../model/types.js";
import { axesOf, axisOf, permOf } from "../shared/check.js";
import { permuted } from "./context.js";
import { shapeInFile, type OnnxOp } from "./op.js";
import { TensorProto_DataType } from "./generated/onnx_pb.js";
import { sliceRanges } from "./slice-ranges.js";
import { decodeTensor, dtypeOf, type Constant } from "./wire.js";

export type Folder = (op: OnnxOp) => Constant;

/** Evaluated at read whatever their operand is: they look at its shape alone. */
export const SHAPE_FOLDERS: ReadonlySet<string> = new Set(["Shape", "Size", "EyeLike"]);

/**
 * Operators that are evaluated at read when their operands are constants, in the element types of the file: what
 * exporters leave around weights and shapes. Other operators on constants are folded by way of their converters.
 */
export const folders: Readonly<Record<string, Folder>> = {
  Constant(op) {
    const tensor = op.attribute("value")?.t;
    if (tensor) return decodeTensor(tensor, op.where, op.context.load);
    const a = op.node.attribute[0];
    switch (a?.name) {
      case "value_float":
        return { dtype: "f32", shape: [], data: Float32Array.of(a.f) };
      case "value_floats":
        return { dtype: "f32", shape: [a.floats.length], data: Float32Array.from(a.floats) };
      case "value_int":
        return { dtype: "i64", shape: [], data: BigInt64Array.of(a.i) };
      case "value_ints":
        return { dtype: "i64", shape: [a.ints.length], data: BigInt64Array.from(a.ints) };
      default:
        throw op.malformed("holds no number");
    }
  },
  ConstantOfShape(op) {
    const shape = Array.from(operand(op, 0).data as ArrayLike<number | bigint>, Number);
    const tensor = op.attribute("value")?.t;
    const value: Constant = tensor
      ? decodeTensor(tensor, op.where)
      : { dtype: "f32", shape: [1], data: new Float32Array(1) };
    if (value.data.length !== 1) throw op.malformed("has a value of more than one element");
    const data = room(op, value.dtype, shape) as Float32Array;
    return { dtype: value.dtype, shape, data: data.fill(value.data[0] as number) };
  },
  Range(op) {
    const parts = [0, 1, 2].map((i) => operand(op, i));
    const [start, limit, delta] = parts.map((c) => Number(c.data[0])) as [number, number, number];
    const length = Math.max(0, Math.ceil((limit - start) / delta));
    const data = room(op, parts[0]!.dtype, [length]);
    for (let i = 0; i < length; i++) set(data, i, start + i * delta);
    return { dtype: parts[0]!.dtype, shape: [length], data };
  },
  Identity: (op) => operand(op, 0),
  Cast(op) {
    const to = op.int("to", TensorProto_DataType.UNDEFINED);
    return converted(operand(op, 0), dtypeOf(to, op.where));
  },
  CastLike: (op) => converted(operand(op, 0), op.dtype(1)),
  Reshape(op) {
    const c = operand(op, 0);
    const raw = op.ints("shape") ?? Array.from(operand(op, 1).data as ArrayLike<number | bigint>, Number);
    const zeros = op.int("allowzero", 0) !== 0;
    const target = raw.map((d, i) => (d === 0 && !zeros ? (c.shape[i] ?? 0) : d));
    const known = target.reduce((n, d) => (d === -1 ? n : n * d), 1);
    return reshaped(
      op,
      c,
      target.map((d) => (d === -1 ? sizeOf(c.shape) / known : d)),
    );
  },
  Flatten(op) {
    const c = operand(op, 0);
    const axis = op.int("axis", 1);
    const at = axis === c.shape.length ? axis : axisOf(axis, c.shape.length, op.where);
    return reshaped(op, c, [sizeOf(c.shape.slice(0, at)), sizeOf(c.shape.slice(at))]);
  },
  Squeeze(op) {
    const c = operand(op, 0);
    const axes = op.intsFrom("axes", 1)?.map((a) => axisOf(a, c.shape.length, op.where));
    return reshaped(
      op,
      c,
      c.shape.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
    );
  },
  Unsqueeze(op) {
    const c = operand(op, 0);
    const given = op.intsFrom("axes", 1) ?? [];
    const shape = [...c.shape];
    for (const a of axesOf(given, c.shape.length + given.length, op.where)) shape.splice(a, 0, 1);
    return reshaped(op, c, shape);
  },
  Transpose(op) {
    const c = operand(op, 0);
    const perm = op.ints("perm") ?? c.shape.map((_, i) => c.shape.length - 1 - i);
    return permuted(c, permOf(perm, c.shape.length, op.where));
  },
  Shape(op) {
    const shape = shapeInFile(op, 0);
    const part = shape.slice(op.int("start", 0), op.hasAttribute("end") ? op.int("end", 0) : undefined);
    return { dtype: "i64", shape: [part.length], data: BigInt64Array.from(part, BigInt) };
  },
  Size: (op) => ({ dtype: "i64", shape: [], data: BigInt64Array.of(BigInt(sizeOf(shapeInFile(op, 0)))) }),
  EyeLike(op) {
    const shape = shapeInFile(op, 0);
    if (shape.length !== 2) throw op.malformed(`needs an operand of rank 2, got [${shape}]`);
    const dtype = op.hasAttribute("dtype") ? dtypeOf(op.int("dtype", 1), op.where) : op.dtype(0);
    const data = room(op, dtype, shape);
    const k = op.int("k", 0);
    for (let i = 0; i < shape[0]!; i++) if (i + k >= 0 && i + k < shape[1]!) set(data, i * shape[1]! + i + k, 1);
    return { dtype, shape, data };
  },
  Gather(op) {
    const c = operand(op, 0);
    const at = operand(op, 1);
    const axis = axisOf(op.int("axis", 0), c.shape.length, op.where);
    const indices = Array.from(at.data as ArrayLike<number | bigint>, (i) =>
      axisOf(Number(i), c.shape[axis]!, op.where),
    );
    const [outer, inner] = [sizeOf(c.shape.slice(0, axis)), sizeOf(c.shape.slice(axis + 1))];
    const shape = [...c.shape.slice(0, axis), ...at.shape, ...c.shape.slice(axis + 1)];
    const data = room(op, c.dtype, shape);
    let q = 0;
    const from = c.data;
    for (let o = 0; o < outer; o++)
      for (const i of indices) for (let s = 0; s < inner; s++) data[q++] = from[(o * c.shape[axis]! + i) * inner + s]!;
    return { dtype: c.dtype, shape, data };
  },
  Concat(op) {
    const parts = op.node.input.map((_, i) => operand(op, i));
    const first = parts[0];
    const rank = first?.shape.length ?? 0;
    const axis = axisOf(op.int("axis", 1), rank, op.where);
    const rest = (c: Constant): string => c.shape.filter((_, i) => i !== axis).join();
    if (!first || parts.some((p) => p.shape.length !== rank || p.dtype !== first.dtype || rest(p) !== rest(first))) {
      throw op.malformed("joins constants that do not fit together");
    }
    const extent = parts.reduce((n, p) => n + p.shape[axis]!, 0);
    const shape = first.shape.map((d, i) => (i === axis ? extent : d));
    const data = room(op, first.dtype, shape);
    const outer = sizeOf(shape.slice(0, axis));
    const row = extent * sizeOf(shape.slice(axis + 1));
    let before = 0;
    for (const { data: from } of parts) {
      const length = from.length / outer;
      for (let o = 0; o < outer; o++) {
        (data as Float32Array).set(from.subarray(o * length, (o + 1) * length) as Float32Array, o * row + before);
      }
      before += length;
    }
    return { dtype: first.dtype, shape, data };
  },
  Slice(op) {
    const c = operand(op, 0);
    const list = (attribute: string, i: number): number[] | null =>
      op.ints(attribute) ?? (op.has(i) ? Array.from(operand(op, i).data as ArrayLike<number | bigint>, Number) : null);
    const ranges = sliceRanges(op, c.shape, {
      starts: list("starts", 1) ?? [],
      ends: list("ends", 2) ?? [],
      axes: list("axes", 3),
      steps: list("steps", 4),
    });
    const shape = ranges.map((r) => r.size);
    const data = room(op, c.dtype, shape);
    const strides = stridesOf(c.shape);
    const from = c.data;
    const visit = (axis: number, at: number, q: number): number => {
      if (axis === shape.length) {
        data[q] = from[at]!;
        return q + 1;
      }
      const { begin, step, size } = ranges[axis]!;
      for (let i = 0; i < size; i++) q = visit(axis + 1, at + (begin + i * step) * strides[axis]!, q);
      return q;
    };
    visit(0, 0, 0);
    return { dtype: c.dtype, shape, data };
  },
  NonZero(op) {
    const c = operand(op, 0);
    const { data } = c;
    const hits = Array.from({ length: data.length }, (_, i) => i).filter((i) => Number(data[i]) !== 0);
    const strides = stridesOf(c.shape);
    const shape = [c.shape.length, hits.length];
    const out = room(op, "i64", shape);
    strides.forEach((s, axis) =>
      hits.forEach((p, i) => set(out, axis * hits.length + i, Math.floor(p / s) % c.shape[axis]!)),
    );
    return { dtype: "i64", shape, data: out };
  },
  DequantizeLinear(op) {
    const q = operand(op, 0);
    const scale = operand(op, 1);
    const zero = op.has(2) ? operand(op, 2) : null;
    if (!(scale.data instanceof Float32Array)) throw op.malformed("has a scale that is no float");
    const at = scalePositions(op, q, scale);
    const data = room(op, "f32", q.shape) as Float32Array;
    const [values, scales, zeros] = [q.data, scale.data, zero?.data];
    for (let i = 0; i < data.length; i++) {
      const k = at(i);
      data[i] = (Number(values[i]) - Number(zeros?.[k] ?? 0)) * scales[k]!;
    }
    const quant = quantOf(op, q.dtype, scale, zero, q.shape.length);
    return { dtype: "f32", shape: q.shape, data, ...(quant && { quant }) };
  },
};

/** The scale that each element of a quantised tensor has: one, one for each index of an axis, or for blocks of it. */
function scalePositions(op: OnnxOp, q: Constant, scale: Constant): (flat: number) => number {
  if (sizeOf(scale.shape) === 1) return () => 0;
  const axis = axisOf(op.int("axis", 1), q.shape.length, op.where);
  const extent = q.shape[axis]!;
  const inner = sizeOf(q.shape.slice(axis + 1));
  const block = op.int("block_size", 0);
  if (block > 0) {
    const blocks = Math.ceil(extent / block);
    if (sizeOf(scale.shape) !== (sizeOf(q.shape) / extent) * blocks) throw op.malformed("has a wrong number of scales");
    return (i) => {
      const outer = Math.floor(i / (inner * extent));
      const along = Math.floor(Math.floor(i / inner) / 1) % extent;
      return (outer * blocks + Math.floor(along / block)) * inner + (i % inner);
    };
  }
  if (sizeOf(scale.shape) !== extent) throw op.malformed(`has ${sizeOf(scale.shape)} scales for ${extent} indices`);
  return (i) => Math.floor(i / inner) % extent;
}

/** The quantisation that constant scales and zero points state; null where the IR has no form of it. */
export function quantOf(
  op: OnnxOp,
  dtype: Dtype,
  scale: Constant,
  zero: Constant | null,
  rank: number,
): Quantisation | null {
  if (dtype !== "i8" && dtype !== "u8" && dtype !== "i32") return null;
  if (op.int("block_size", 0) > 0) return null;
  if (!(scale.data instanceof Float32Array)) throw op.malformed(`has scales of ${scale.dtype}, not floats`);
  const n = scale.data.length;
  const zeroPoint = zero ? Array.from(zero.data as ArrayLike<number | bigint>, Number) : new Array<number>(n).fill(0);
  if (zeroPoint.length !== n) throw op.malformed(`has ${n} scales and ${zeroPoint.length} zero points`);
  const single = n === 1;
  return {
    dtype,
    scale: Array.from(scale.data),
    zeroPoint,
    axis: single ? null : axisOf(op.int("axis", 1), rank, op.where),
  };
}

function set(data: TensorData, i: number, value: number): void {
  if (data instanceof BigInt64Array) data[i] = BigInt(Math.trunc(value));
  else data[i] = value;
}

/** A zeroed array for a result, charged to what the file may ask for. */
export function room(op: OnnxOp, dtype: Dtype, shape: readonly number[]): TensorData {
  if (shape.length > 8 || shape.some((d) => !Number.isSafeInteger(d) || d < 0)) {
    throw op.malformed(`gives a constant the shape [${shape}]`);
  }
  op.context.budget.charge(8 * sizeOf(shape));
  return allocate(dtype, sizeOf(shape));
}

function converted(c: Constant, dtype: Dtype): Constant {
  if (dtype === c.dtype) return c;
  const { shape } = c;
  const values = Array.from(c.data as ArrayLike<number | bigint>, Number);
  if (dtype === "i64") {
    return { shape, dtype, data: BigInt64Array.from(values, (v) => BigInt(Math.trunc(v) || 0)) };
  }
  if (dtype === "f32") return { shape, dtype, data: Float32Array.from(values) };
  if (dtype === "i32") return { shape, dtype, data: Int32Array.from(values) };
  if (dtype === "i8") return { shape, dtype, data: Int8Array.from(values) };
  return { shape, dtype, data: Uint8Array.from(values, (v) => (dtype === "bool" ? Number(v !== 0) : v)) };
}

function operand(op: OnnxOp, i: number): Constant {
  const c = op.constant(i);
  if (!c) throw op.malformed(`needs its input ${i} to be a constant`);
  return c;
}

function reshaped(op: OnnxOp, c: Constant, shape: readonly number[]): Constant {
  if (
    shape.length > 8 ||
    shape.some((d) => !Number.isInteger(d) || d < 0) ||
    sizeOf(shape) !== sizeOf(c.shape) ||
    (shape.includes(0) && shape.length > 1)
  ) {
    throw op.malformed(`cannot give a constant of shape [${c.shape}] the shape [${shape}]`);
  }
  const { quant } = c;
  return { dtype: c.dtype, shape, data: c.data, ...(quant && quant.axis === null && { quant }) };
}
