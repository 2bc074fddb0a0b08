import { sizeOf, type TensorData } from "../../model/types.js";
import { axisOf, axesOf, permOf } from "../shared/check.js";
import { permuted, shapeInFile, type OnnxOp } from "./context.js";
import { decodeTensor, dtypeOf, type Constant } from "./wire.js";
import { TensorProto_DataType } from "./generated/onnx_pb.js";

/**
 * Operators that are evaluated at read when their operands are constants. They are what exporters leave around weights
 * and shapes; arithmetic on floats stays in the graph. `Shape` is folded whatever its operand is.
 */
export const folders: Readonly<Record<string, (op: OnnxOp) => Constant>> = {
  Constant(op) {
    const tensor = op.attribute("value")?.t;
    if (tensor) return decodeTensor(tensor, op.where);
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
  Identity: (op) => operand(op, 0),
  Cast(op) {
    const c = operand(op, 0);
    const dtype = dtypeOf(op.int("to", TensorProto_DataType.UNDEFINED), op.where);
    if (dtype === c.dtype) return c;
    const values = Array.from(c.data as ArrayLike<number | bigint>, Number);
    if (dtype === "i64")
      return { ...c, dtype, data: BigInt64Array.from(values.map((v) => BigInt(Math.trunc(v) || 0))) };
    if (dtype === "f32") return { ...c, dtype, data: Float32Array.from(values) };
    if (dtype === "i32") return { ...c, dtype, data: Int32Array.from(values) };
    if (dtype === "i8") return { ...c, dtype, data: Int8Array.from(values) };
    return { ...c, dtype, data: Uint8Array.from(values, (v) => (dtype === "bool" ? Number(v !== 0) : v)) };
  },
  Reshape(op) {
    const c = operand(op, 0);
    const raw = op.constantInts(1) ?? op.ints("shape") ?? [];
    const target = raw.map((d, i) => (d === 0 ? (c.shape[i] ?? 0) : d));
    const known = target.reduce((n, d) => (d === -1 ? n : n * d), 1);
    return reshaped(
      op,
      c,
      target.map((d) => (d === -1 ? c.data.length / known : d)),
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
    return { dtype: "i64", shape: [part.length], data: BigInt64Array.from(part, BigInt), extents: true };
  },
  Gather(op) {
    const c = operand(op, 0);
    const at = operand(op, 1);
    if (c.shape.length !== 1 || axisOf(op.int("axis", 0), 1, op.where) !== 0) {
      throw op.malformed("gathers from a constant of rank above 1, which cannot be read");
    }
    const indices = Array.from(at.data as ArrayLike<number | bigint>, (i) => axisOf(Number(i), c.shape[0]!, op.where));
    return { ...c, shape: at.shape, data: pick(c.data, indices) };
  },
  Concat(op) {
    const parts = op.node.input.map((_, i) => operand(op, i));
    const first = parts[0];
    if (!first || parts.some((p) => p.shape.length !== 1 || p.dtype !== first.dtype)) {
      throw op.malformed("joins constants of rank above 1, which cannot be read");
    }
    const length = parts.reduce((n, p) => n + p.data.length, 0);
    op.context.budget.charge(8 * length);
    const data = new (first.data.constructor as new (n: number) => TensorData)(length);
    let filled = 0;
    for (const p of parts) {
      (data as Float32Array).set(p.data as Float32Array, filled);
      filled += p.data.length;
    }
    return { ...first, shape: [length], data, extents: parts.some((p) => p.extents) };
  },
  Slice(op) {
    const c = operand(op, 0);
    const starts = op.intsFrom("starts", 1) ?? [];
    const ends = op.intsFrom("ends", 2) ?? [];
    const steps = op.constantInts(4) ?? [1];
    if (c.shape.length !== 1 || starts.length !== 1 || ends.length !== 1 || steps[0] !== 1) {
      throw op.malformed("slices a constant of rank above 1 or with steps, which cannot be read");
    }
    const data = c.data.slice(starts[0], ends[0]) as TensorData;
    return { ...c, shape: [data.length], data };
  },
};

function operand(op: OnnxOp, i: number): Constant {
  const c = op.constant(i);
  if (!c) throw op.malformed(`needs its input ${i} to be a constant`);
  op.context.budget.charge(c.data.byteLength);
  return c;
}

function reshaped(op: OnnxOp, c: Constant, shape: readonly number[]): Constant {
  if (shape.length > 8 || shape.some((d) => !Number.isInteger(d) || d < 1) || sizeOf(shape) !== c.data.length) {
    throw op.malformed(`cannot give a constant of shape [${c.shape}] the shape [${shape}]`);
  }
  return { ...c, shape };
}

function pick(data: TensorData, indices: readonly number[]): TensorData {
  const out = new (data.constructor as new (n: number) => TensorData)(indices.length);
  indices.forEach((from, to) => (out[to] = data[from]!));
  return out;
}
