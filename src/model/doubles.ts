import { allocate, type Dtype, type TensorData } from "./types.js";

/** Values of any dtype as doubles; i64 beyond 2^53 would round, which no model of ours holds. */
export function toDoubles(data: TensorData): Float64Array {
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : Float64Array.from(data);
}

/** Doubles rounded to a dtype. */
export function fromDoubles(data: Float64Array, dtype: Dtype): TensorData {
  const out = allocate(dtype, data.length);
  if (out instanceof BigInt64Array) data.forEach((v, i) => (out[i] = BigInt(Math.trunc(v))));
  else out.set(data);
  return out;
}
