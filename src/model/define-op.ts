import type { z } from "zod";
import type { Coupling } from "./coupling.js";
import type { CutContext } from "./cut.js";
import type { Attrs, Dtype, Shape, TensorData, TensorType } from "./types.js";

/** Multiply-accumulates and the bytes of weights and activations that must move, at batch 1. */
export interface Cost {
  readonly macs: number;
  readonly bytes: number;
}

/** A dense f64 array, C order: what the reference executor computes on. */
export interface NdArray {
  readonly data: Float64Array;
  readonly shape: Shape;
  /** What the doubles stand for, for operators that compute integers in another way; f32 where it is absent. */
  readonly dtype?: Dtype;
}

/**
 * How far an f32 evaluation may be from the exact result.
 * `exact`: moves or selects values; `roundings(n)`: relative to sum |terms|, n roundings of 2^-24 each.
 */
export type Tolerance = { readonly kind: "exact" } | { readonly kind: "roundings"; readonly count: number };

/** What a gradient rule sees: names in, names out; it adds nodes through the builder. */
export interface VjpContext<A> {
  readonly attrs: A;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  /** Gradients of the loss with respect to each output; null where the loss does not depend on it. */
  readonly gradOutputs: readonly (string | null)[];
  /** Which inputs need a gradient: the rule may return null for the others. */
  readonly wanted: readonly boolean[];
  /** Adds a node and returns the names of its outputs. */
  emit(op: string, inputs: readonly string[], attrs?: Attrs): string[];
  /** Adds a constant f32 tensor and returns its name. */
  constant(shape: Shape, data: Float32Array): string;
}

/** What an expansion sees: names in, names out; it adds nodes of other operators. */
export interface ExpandContext<A> {
  readonly attrs: A;
  readonly inputs: readonly string[];
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  /** Values of input `i` where it is a constant. */
  fixed(i: number): TensorData | null;
  /** Adds a node and returns the names of its outputs. */
  emit(op: string, inputs: readonly string[], attrs?: Attrs): string[];
  /** Adds a constant f32 tensor and returns its name. */
  constant(shape: Shape, data: Float32Array): string;
}

export interface OpDef<A = any> {
  readonly name: string;
  /** One line for the generated operator table. */
  readonly summary: string;
  /** Names of the inputs in order; a trailing "?" marks an optional one, "..." the last as repeated. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Input positions that hold trained parameters when they are constants. */
  readonly params?: readonly number[];
  /** True for operators that no model has: those of training graphs (gradients, losses) and of simulations. */
  readonly internal?: boolean;
  readonly attrs: z.ZodType<A>;
  /** Output types from input types; throws an IdapError that names both sides when they do not fit. */
  infer(inputs: readonly TensorType[], attrs: A): TensorType[];
  /** States which axes are one channel set; without it all axes of all operands are frozen. */
  couple?(c: Coupling, attrs: A): void;
  /** New attributes when indices are removed from operands; without it attributes stay. */
  cut?(c: CutContext, attrs: A): A;
  cost(inputs: readonly TensorType[], outputs: readonly TensorType[], attrs: A): Cost;
  /** Naive evaluation in f64: short, obvious, the oracle of every other back end. */
  reference(inputs: readonly NdArray[], attrs: A, outputShapes: readonly Shape[]): NdArray[];
  /**
   * The same in nodes of simpler operators; returns the names of the outputs. Whoever has no code of its own for the operator
   * (a back end, a writer, the backward pass where there is no `vjp`) takes this form.
   */
  expand?(ctx: ExpandContext<A>): string[];
  /** Gradient graph: names of the gradients of the inputs, in order; null where none is defined. */
  vjp?(ctx: VjpContext<A>): (string | null)[];
  tolerance(inputs: readonly TensorType[], attrs: A): Tolerance;
}

/** Fixes the attribute type of a definition; the registry is generated from the folder. */
export function defineOp<A>(def: OpDef<A>): OpDef<A> {
  return def;
}
