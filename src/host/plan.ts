/**
 * A plan is pure data: where everything lies in one WebAssembly memory, and the kernel calls of one pass in order.
 * It is built once for a graph and a batch size, can be printed, and is sent to worker threads as it is.
 */

import type { Words } from "../model/words.js";

/** Name of an export of the host module, and its arguments: addresses and strides in bytes, sizes in elements. */
export type Call = readonly [kernel: string, ...args: number[]];

/** A tensor in the memory, for whoever fills or reads it. `strides` are bytes; the last axis is contiguous. */
export interface Place {
  readonly name: string;
  readonly address: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Floats that a writer sets for each row of the last axis: the values, then zeros up to here. */
  readonly rowFloats: number;
  /** Words are i32, not f32. */
  readonly integer: boolean;
}

/** A run of floats. */
export interface Region {
  readonly address: number;
  readonly length: number;
}

export interface Plan {
  readonly batch: number;
  /** Start of what the plan uses, and size of the memory; it never grows. */
  readonly firstAddress: number;
  readonly bytes: number;
  /** What must be in memory before `setup`: weights and other constants. */
  readonly constants: readonly { readonly address: number; readonly data: Words }[];
  /** Once, after the constants are there: weights into the order of the kernels. */
  readonly setup: readonly Call[];
  readonly calls: readonly Call[];
  /** Activations and scratch memory: what a pass need not find as the last one left it. */
  readonly arena: Region;
  readonly inputs: readonly Place[];
  /** Graph outputs and the tensors that were asked for, by tensor name. */
  readonly results: readonly Place[];
  /** The constants that may change between passes, one after another, each rounded up to four floats. */
  readonly mutable: Region & { readonly offsets: readonly number[] };
  /** Copies of the collected tensors, in plain order, laid out like `mutable`. */
  readonly collected: Region & { readonly offsets: readonly number[] };
  /** As many floats as `mutable`, zero at the start: the memory of an optimiser. */
  readonly states: readonly Region[];
}

export interface PlanOptions {
  readonly batch: number;
  /** Tensors to keep besides the outputs. */
  readonly observe?: readonly string[];
  /** Constants that change between passes; everything computed from them alone is computed at each pass. */
  readonly mutable?: readonly string[];
  /** Tensors to copy into one contiguous region at the end of the pass. */
  readonly collect?: readonly string[];
  /** How many state regions to reserve. */
  readonly states?: number;
}

/** Memory below belongs to the module itself: its tables, and address 0, which means "none" to kernels. */
export const FIRST_ADDRESS = 16384;

/** Smallest multiple of four that holds n: channels are padded to whole vectors. */
export function pad4(n: number): number {
  return (n + 3) & ~3;
}
