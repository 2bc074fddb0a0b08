/**
 * How an operator becomes kernel calls, said once for host and device: the host runs the list, the emitter prints it.
 * Operators that need more (register tiles, packed weights, fusion) have code of their own on both sides.
 */
import type { Attrs, Dtype, Shape, TensorData } from "../model/types.js";

/** A tensor at its place. Elements are words of 4 bytes: f32, or i32 for every other dtype (bool: 0 or 1). */
export interface Operand {
  /** Of the first element. */
  readonly address: number;
  readonly shape: Shape;
  /** Bytes from index to index, for each axis. Tensors may have gaps: padded channels, borders. */
  readonly strides: readonly number[];
  readonly dtype: Dtype;
}

export interface CallContext {
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  /** Values of input `i` where they are fixed, else null. */
  constant(i: number): TensorData | null;
  /** Address of scratch memory for this step alone; its contents are arbitrary. */
  temp(bytes: number): number;
  /** Address of a table that is computed here and never changes. */
  table(data: Float32Array | Int32Array): number;
  /**
   * Appends a call of the function `kernel` that `assembly/kernels/<file>.ts` exports. Arguments are addresses, byte
   * strides and counts (usize, i32), or f32.
   */
  call(file: string, kernel: string, ...args: readonly number[]): void;
}

export interface CallsDef {
  readonly ops: readonly string[];
  /** Output 0 may lie where input 0 lies, when both have the same layout: every element is read before its place is written. */
  readonly inPlace?: boolean;
  /**
   * Inputs of which `calls` reads only `constant(i)` where they are fixed: their values come from tables of its own, and a
   * package does not hold them a second time. Their address is then 0.
   */
  readonly tabled?: readonly number[];
  /**
   * Calls that write every element of every output. Which tables and how much scratch it asks for, in which order, must
   * depend on shapes, attributes and constants alone, not on addresses and strides.
   */
  calls(context: CallContext): void;
}

/** Marks a definition; the registry is generated from the folder `calls`. */
export function defineCalls(def: CallsDef): CallsDef {
  return def;
}
