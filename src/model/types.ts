/**
 * The values that flow through the compiler: tensor types, tensors, nodes, graphs.
 *
 * Graphs are immutable values: a pass returns a new graph and shares what it did not touch.
 * Canonical layout: activations NHWC, convolution weights HWIO.
 */

/** Element types. `i64` exists at a model's boundary only; the IR computes in the others. */
export type Dtype = "f32" | "i32" | "i8" | "u8" | "bool" | "i64";

export type Shape = readonly number[];

/**
 * Type of a tensor at batch size 1.
 * `batchAxis` names the axis that scales with the batch: at batch n its extent is `shape[batchAxis] * n`.
 * It is null for constants, and for models whose batch cannot be traced (those run at their fixed size).
 */
export interface TensorType {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly batchAxis: number | null;
}

/** Affine quantisation: real = scale * (q - zeroPoint); one entry, or one for each index of `axis`. */
export interface Quantisation {
  readonly dtype: "i8" | "u8" | "i32";
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number | null;
}

export type TensorData = Float32Array | Int32Array | Int8Array | Uint8Array | BigInt64Array;

/** A named tensor. `data` (C order, at batch 1) is present exactly for constants: weights and fixed operands. */
export interface Tensor {
  readonly name: string;
  readonly type: TensorType;
  readonly data?: TensorData;
  readonly quant?: Quantisation;
}

export type Attrs = Readonly<Record<string, unknown>>;

/** One application of an operator. Absent optional inputs are trailing and left out, never empty strings. */
export interface Node {
  /** Unique in its graph; from the source file where it has names. */
  readonly name: string;
  /** Name of an operator in `ops/`. */
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Attrs;
}

/** A graph's interface: `name` is what the source file calls the tensor and what callers use. */
export interface Port {
  readonly name: string;
  readonly tensor: string;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** In topological order. */
  readonly nodes: readonly Node[];
}

/** What callers pass in and get back, in the source model's own layout and dtype. */
export interface TensorValue {
  readonly data: TensorData;
  readonly shape: Shape;
  readonly dtype: Dtype;
}

export type TensorRecord = Readonly<Record<string, TensorValue>>;

/** Number of elements of a shape; 1 for a scalar `[]`. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** The concrete shape of `type` when the batch is `batch`. */
export function shapeAt(type: TensorType, batch: number): number[] {
  return type.shape.map((d, i) => (i === type.batchAxis ? d * batch : d));
}

export const BYTES_PER_ELEMENT: Readonly<Record<Dtype, number>> = { f32: 4, i32: 4, i8: 1, u8: 1, bool: 1, i64: 8 };

/** A zeroed array that holds `length` elements of `dtype` (`bool` as bytes 0 and 1). */
export function allocate(dtype: Dtype, length: number): TensorData {
  switch (dtype) {
    case "f32":
      return new Float32Array(length);
    case "i32":
      return new Int32Array(length);
    case "i8":
      return new Int8Array(length);
    case "u8":
    case "bool":
      return new Uint8Array(length);
    case "i64":
      return new BigInt64Array(length);
  }
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let s = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = s;
    s *= shape[i]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}
