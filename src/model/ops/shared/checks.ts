import { z } from "zod";
import { IdapError } from "../../errors.js";
import { BYTES_PER_ELEMENT, sizeOf, type Dtype, type TensorType } from "../../types.js";

/** Attributes of an operator that has none. */
export const noAttrs = z.strictObject({});
export type NoAttrs = z.infer<typeof noAttrs>;

/** `f32 [n*1, 8, 8, 3]`: what error messages show of a type; the batch axis is marked. */
export function showType(t: TensorType | undefined): string {
  if (!t) return "(absent)";
  return `${t.dtype} [${t.shape.map((d, i) => (i === t.batchAxis ? `batch*${d}` : `${d}`)).join(", ")}]`;
}

/** Throws unless `t` has exactly `rank` axes. */
export function needRank(op: string, operand: string, t: TensorType | undefined, rank: number): void {
  if (t?.shape.length !== rank) {
    throw new IdapError("E_RANK", `${op} needs ${operand} of rank ${rank}, got ${showType(t)}`);
  }
}

/** Throws unless every operand is f32: arithmetic is defined on floats only. */
export function needF32(op: string, types: readonly TensorType[]): void {
  for (const t of types) {
    if (t.dtype !== "f32") {
      throw new IdapError("E_DTYPE", `${op} computes in f32, got an operand ${showType(t)}`);
    }
  }
}

/** Throws unless every operand has one of `allowed`, and all have the same. */
export function needDtype(op: string, types: readonly TensorType[], allowed: readonly Dtype[]): void {
  for (const t of types) {
    if (!allowed.includes(t.dtype)) {
      throw new IdapError("E_DTYPE", `${op} takes ${allowed.join(" or ")}, got an operand ${showType(t)}`);
    }
    if (t.dtype !== types[0]!.dtype) {
      throw new IdapError(
        "E_DTYPE",
        `${op} needs operands of one element type, got ${types.map(showType).join(" and ")}`,
      );
    }
  }
}

/** Throws unless `t` is a vector of `length`: a bias or a per-channel parameter. */
export function needVector(op: string, operand: string, t: TensorType | undefined, length: number): void {
  if (t?.shape.length !== 1 || t.shape[0] !== length) {
    throw new IdapError("E_SHAPE", `${op}: ${operand} must be [${length}], got ${showType(t)}`);
  }
  needFixed(op, operand, t);
}

/** Throws where weights differ from sample to sample: they are the same for the whole batch. */
export function needFixed(op: string, operand: string, t: TensorType | undefined): void {
  if (t && t.batchAxis !== null) {
    throw new IdapError("E_BATCH", `${op}: ${operand} must be the same for all samples, got ${showType(t)}`);
  }
}

/** Throws when the batch runs along an axis other than the first: windows slide over axes 1 and 2 only. */
export function needBatchFirst(op: string, operand: string, t: TensorType): void {
  if (t.batchAxis !== null && t.batchAxis !== 0) {
    throw new IdapError("E_BATCH", `${op} needs the batch on axis 0 of ${operand}, got ${showType(t)}`);
  }
}

/** Throws unless `axis` is an axis of `t`. */
export function needAxis(op: string, t: TensorType, axis: number): void {
  if (axis < 0 || axis >= t.shape.length) {
    throw new IdapError("E_AXIS", `${op}: axis ${axis} does not exist in ${showType(t)}`);
  }
}

/** Throws unless both operands have one shape and batch axis. */
export function needSame(op: string, a: TensorType | undefined, b: TensorType | undefined): void {
  const same =
    a &&
    b &&
    a.batchAxis === b.batchAxis &&
    a.shape.length === b.shape.length &&
    a.shape.every((d, i) => d === b.shape[i]);
  if (!same) throw new IdapError("E_SHAPE", `${op} needs operands of one shape, got ${showType(a)} and ${showType(b)}`);
}

/** Bytes that an operator must move at batch 1: every operand once. */
export function moved(inputs: readonly TensorType[], outputs: readonly TensorType[]): number {
  let bytes = 0;
  for (const t of [...inputs, ...outputs]) bytes += BYTES_PER_ELEMENT[t.dtype] * sizeOf(t.shape);
  return bytes;
}
