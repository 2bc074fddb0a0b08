import type { Graph, TensorValue } from "../../src/model/types.js";
import type { NdArray } from "../../src/model/define-op.js";
import type { Library } from "./check.mjs";

export function evaluate(library: Library, graph: Graph, inputs: readonly TensorValue[], hooks: object): NdArray[];
export function roundingSensitivity(
  library: Library,
  graph: Graph,
  inputs: readonly TensorValue[],
  seed?: number,
): number[];
export function largestLocalError(library: Library, graph: Graph, inputs: readonly TensorValue[]): Promise<number>;
export function hybridOutputs(library: Library, graph: Graph, inputs: readonly TensorValue[]): NdArray[];
