import { sizeOf, stridesOf, type TensorData } from "../../model/types.js";
import type { Constant } from "./wire.js";

/** One sample's part of a constant that has a batch axis, of extent 1 in it. */
export interface BatchSlice {
  readonly constant: Constant;
  readonly axis: number;
}

/**
 * What a constant that depends on the batch is for each sample: its values repeat along the one axis whose extent
 * changes. Null where that is not so.
 */
export function batchSlice({ dtype, shape, data, alt }: Constant): BatchSlice | null {
  if (!alt || alt.shape.length !== shape.length) return null;
  const changing = shape.flatMap((d, i) => (d === alt.shape[i] ? [] : [i]));
  const axis = changing[0];
  if (changing.length !== 1 || axis === undefined) return null;
  const one = sliceAlong(data, shape, axis);
  const other = sliceAlong(alt.data, alt.shape, axis);
  if (!one || !other || one.some((v, i) => v !== other[i] && !(Number.isNaN(v) && Number.isNaN(other[i])))) return null;
  return { axis, constant: { dtype, shape: shape.map((d, i) => (i === axis ? 1 : d)), data: one } };
}

/** The first index of `axis`, if every other one holds the same. */
function sliceAlong<T extends TensorData>(data: T, shape: readonly number[], axis: number): T | null {
  const stride = stridesOf(shape)[axis]!;
  const extent = shape[axis]!;
  const outer = sizeOf(shape.slice(0, axis));
  const out = (data as Float32Array).slice(0, outer * stride) as unknown as T;
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < extent; i++)
      for (let s = 0; s < stride; s++) {
        const value = data[(o * extent + i) * stride + s]!;
        if (i === 0) out[o * stride + s] = value;
        else if (value !== out[o * stride + s] && !Number.isNaN(value)) return null;
      }
  return out;
}
