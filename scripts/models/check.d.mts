import type { Dtype, Graph, TensorValue } from "../../src/model/types.js";
import type { RecordedModel } from "./recorded.mjs";

export const FLOAT_BOUND: number;
export const REFERENCE_MACS: number;
/** The calls of the library that a check makes; the sources have them as the build has. */
export type Library = Readonly<Record<string, any>>;
export interface FloatFigure {
  /** Largest difference over the range of the output, of the outputs that need no bound of their own. */
  readonly error: number | null;
  readonly derived: readonly { readonly output: string; readonly error: number; readonly bound: number }[];
  readonly passes: boolean;
}
export interface PlainFigure {
  readonly judge: "pixels" | "key points" | "steps" | "best score";
  readonly equal?: number;
  readonly cells?: number;
  readonly steps?: number;
  readonly sameTop?: boolean;
  readonly passes: boolean;
}
export interface CheckedPort {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}
export interface CheckedModel {
  readonly name: string;
  readonly format: string;
  readonly runtime: string;
  readonly bytes: number;
  readonly refused?: string;
  readonly kind: "float" | "8-bit weights" | "quantised";
  readonly cases: number;
  readonly macs: number;
  readonly inputs: readonly CheckedPort[];
  readonly outputs: readonly CheckedPort[];
  readonly operators: Readonly<Record<string, number>>;
  readonly emitted: FloatFigure | PlainFigure;
  readonly emittedToExact?: FloatFigure;
  readonly package: { readonly code: number; readonly glue: number; readonly weights: number };
  readonly passes: boolean;
}
export interface Cases {
  readonly inputs: readonly TensorValue[];
  readonly outputs: readonly TensorValue[];
}
export function checkModel(
  library: Library,
  model: RecordedModel,
  options: { readonly out: string; readonly host?: boolean; readonly variants?: readonly string[] },
): Promise<CheckedModel>;
export function runOnHost(
  library: Library,
  graph: Graph,
  cases: readonly Cases[],
  executor?: "wasm" | "reference",
): Promise<TensorValue[][]>;
