import { allocate, sizeOf, stridesOf, type Dtype, type Shape, type TensorData } from "../../model/types.js";

/** Transposed copy: axis i of the result is axis perm[i] of the source. */
export function permute<T extends TensorData>(data: T, shape: Shape, perm: readonly number[]): T {
  const source = stridesOf(shape);
  const outShape = perm.map((p) => shape[p]!);
  const strides = perm.map((p) => source[p]!);
  const out = (data as Float32Array).slice() as unknown as T;
  const index = new Array<number>(perm.length).fill(0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from]!;
    for (let axis = perm.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < outShape[axis]!) break;
      from -= strides[axis]! * outShape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** perm such that permute(permute(x, p), inverse(p)) is x. */
export function inverse(perm: readonly number[]): number[] {
  const out = new Array<number>(perm.length);
  perm.forEach((p, i) => (out[p] = i));
  return out;
}

/** The permutation that does `first`, then `second`. */
export function compose(first: readonly number[], second: readonly number[]): number[] {
  return second.map((p) => first[p]!);
}

export function isIdentity(perm: readonly number[]): boolean {
  return perm.every((p, i) => p === i);
}

/** A constant with the same value everywhere. */
export function filled(dtype: Dtype, shape: Shape, value: number): TensorData {
  return (allocate(dtype, sizeOf(shape)) as Float32Array).fill(value);
}
