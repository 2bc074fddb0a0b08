/**
 * What the device executes, before sizes become addresses: a list of steps over named tensors.
 * `lower` makes it from a graph; `layout` adds the moves that different memory layouts need.
 */
import type { Variant } from "../kernels/tiles.js";
import type { Scheme, WinogradChunks } from "../kernels/winograd.js";
import type { Attrs, Dtype, Shape, TensorData } from "../model/types.js";

export type Activation = "none" | "relu" | "relu6" | "gelu" | "gelu_tanh";
/** Codes of the kernels' `act` argument. */
export const ACTIVATION_CODE: Readonly<Record<Activation, number>> = {
  none: 0,
  relu: 1,
  relu6: 2,
  gelu: 0,
  gelu_tanh: 0,
};

/**
 * Activations that are too long for the end of a tile, by the function of `gelu.ts` that goes over what a row of tiles has
 * stored while it is in the first cache.
 */
export const ROW_ACTIVATIONS: Readonly<Partial<Record<Activation, string>>> = {
  gelu: "gelu_rows",
  gelu_tanh: "gelu_tanh_rows",
};

type Pair = readonly [number, number];
type Pads = readonly [number, number, number, number];

interface StepBase {
  /** Name of the node whose output this is. */
  readonly name: string;
  /** Source nodes that went into it. */
  readonly nodes: readonly string[];
  readonly y: string;
  readonly macs: number;
}

/** How a convolution is computed by Winograd's method. */
export interface WinogradUse {
  readonly scheme: Scheme;
  /** Builds that do. */
  readonly variants: readonly Variant[];
  readonly chunks: WinogradChunks;
  /** Transformed inputs and, behind them, the products. */
  readonly scratch: string;
}

export interface ConvStep extends StepBase {
  readonly kind: "conv";
  /** Absent: by sums over the window in every build. */
  readonly winograd?: WinogradUse;
  readonly x: string;
  /** Added before the activation; same shape as y. */
  readonly residual: string | null;
  /** HWIO, [kh, kw, ci / groups, co]. */
  readonly weights: Float32Array;
  readonly kernel: Pair;
  readonly ci: number;
  readonly co: number;
  readonly bias: Float32Array | null;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly groups: number;
  readonly act: Activation;
}

export interface DepthwiseStep extends StepBase {
  readonly kind: "depthwise";
  readonly x: string;
  /** [kh, kw, c]. */
  readonly weights: Float32Array;
  readonly kernel: Pair;
  readonly channels: number;
  readonly bias: Float32Array | null;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly act: Activation;
}

export interface PoolStep extends StepBase {
  readonly kind: "pool";
  readonly mode: "max" | "avg";
  readonly x: string;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  /** How far around the image zeros count as elements of an average. */
  readonly counted: Pads;
}

export interface UnaryStep extends StepBase {
  readonly kind: "unary";
  readonly op: "relu" | "relu6" | "sigmoid";
  readonly x: string;
}

/** A computed tensor, or values that are fixed. */
export type Operand = { readonly tensor: string } | { readonly values: Float32Array; readonly shape: Shape };

export interface BinaryStep extends StepBase {
  readonly kind: "binary";
  readonly op: "add" | "mul";
  readonly a: string;
  readonly b: Operand;
}

export interface ReduceStep extends StepBase {
  readonly kind: "reduce";
  readonly op: "sum" | "mean" | "max";
  readonly x: string;
  /** One axis, or both spatial axes of an image. The output keeps them with extent 1. */
  readonly axes: readonly number[];
}

export interface SoftmaxStep extends StepBase {
  readonly kind: "softmax";
  readonly x: string;
  readonly axis: number;
}

/** One loop of a move: how many, and by how many indices of which axis x and y advance (axis null: not at all). */
export interface MoveLoop {
  readonly count: number;
  readonly x: { readonly axis: number; readonly step: number } | null;
  readonly y: { readonly axis: number; readonly step: number };
}

/** Values change place: transposition, slice, concatenation, padding, repetition, change of layout. */
export interface MoveStep extends StepBase {
  readonly kind: "move";
  readonly x: string;
  readonly loops: readonly MoveLoop[];
  /** First index in x and in y, for each axis. */
  readonly xBegin: readonly number[];
  readonly yBegin: readonly number[];
}

/** Every element of y becomes `value`. */
export interface FillStep extends StepBase {
  readonly kind: "fill";
  readonly value: number;
}

/** An operator whose kernel calls are described once for host and device (src/kernels/calls). */
export interface KernelStep extends StepBase {
  readonly kind: "kernel";
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly ({ readonly tensor: string } | { readonly values: TensorData; readonly shape: Shape })[];
  readonly inputDtypes: readonly Dtype[];
  /** Outputs after the first, which is `y`. */
  readonly others: readonly string[];
  readonly outputDtypes: readonly Dtype[];
  /** Tensors without meaning that only this step uses. */
  readonly scratch: readonly string[];
  /** Constants that the calls refer to. */
  readonly tables: readonly (Float32Array | Int32Array)[];
}

/** Same values in the same order under another shape: no code when both layouts are contiguous. */
export interface AliasStep extends StepBase {
  readonly kind: "alias";
  readonly x: string;
}

export type Step =
  | ConvStep
  | DepthwiseStep
  | PoolStep
  | UnaryStep
  | BinaryStep
  | ReduceStep
  | SoftmaxStep
  | MoveStep
  | FillStep
  | KernelStep
  | AliasStep;

/** Tensors that a step reads. */
export function stepInputs(step: Step): string[] {
  switch (step.kind) {
    case "conv":
      return step.residual === null ? [step.x] : [step.x, step.residual];
    case "binary":
      return "tensor" in step.b ? [step.a, step.b.tensor] : [step.a];
    case "fill":
      return [];
    case "kernel":
      return step.inputs.flatMap((operand) => ("tensor" in operand ? [operand.tensor] : []));
    default:
      return [step.x];
  }
}

/** Tensors that a step writes: its results, the first of which is `y`. */
export function stepOutputs(step: Step): string[] {
  return step.kind === "kernel" ? [step.y, ...step.others] : [step.y];
}

/** Tensors that hold what only the step itself reads. */
export function stepScratch(step: Step): readonly string[] {
  if (step.kind === "conv") return step.winograd ? [step.winograd.scratch] : [];
  return step.kind === "kernel" ? step.scratch : [];
}

/** The same step with its tensors renamed. */
export function renameInputs(step: Step, rename: (tensor: string) => string): Step {
  switch (step.kind) {
    case "conv":
      return { ...step, x: rename(step.x), residual: step.residual === null ? null : rename(step.residual) };
    case "binary":
      return { ...step, a: rename(step.a), b: "tensor" in step.b ? { tensor: rename(step.b.tensor) } : step.b };
    case "fill":
      return step;
    case "kernel":
      return {
        ...step,
        inputs: step.inputs.map((operand) => ("tensor" in operand ? { tensor: rename(operand.tensor) } : operand)),
      };
    default:
      return { ...step, x: rename(step.x) };
  }
}

export interface LoweredPort {
  readonly name: string;
  readonly tensor: string;
  readonly shape: Shape;
  /** Of the interface; in memory every element is a word. */
  readonly dtype: Dtype;
}

export interface Lowered {
  readonly name: string;
  readonly inputs: readonly LoweredPort[];
  readonly outputs: readonly LoweredPort[];
  /** Shapes of all computed tensors, at batch 1. */
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly steps: readonly Step[];
}

/** A copy of a whole tensor of this shape. */
export function identityLoops(shape: Shape): MoveLoop[] {
  return shape.map((count, axis) => ({ count, x: { axis, step: 1 }, y: { axis, step: 1 } }));
}
