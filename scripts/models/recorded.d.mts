import type { Graph, TensorRecord, TensorValue } from "../../src/model/types.js";

export interface RecordedModel {
  /** Path below the folder of models. */
  readonly name: string;
  readonly file: string;
  readonly golden: string;
  readonly runtime: string;
}
export function listModels(root: string): RecordedModel[];
export function recordedCases(golden: string): { readonly inputs: TensorValue[]; readonly outputs: TensorValue[] }[];
export function namedInputs(graph: Graph, values: readonly TensorValue[]): TensorRecord;
export interface Compared {
  readonly range: number;
  readonly difference: number;
  readonly steps: number;
  readonly withinOne: number;
  readonly equal: number;
  readonly sameTop: boolean;
}
export function compare(
  got: { readonly data: ArrayLike<number | bigint> },
  want: { readonly data: ArrayLike<number | bigint> },
  step?: number,
): Compared;
