import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { allocate, shapeAt, sizeOf, type Graph, type TensorRecord, type TensorValue } from "../../src/model/types.js";
import type { NdArray } from "../../src/model/define-op.js";
import { getOp } from "../../src/model/ops/index.js";
import { Random } from "../../src/model/random.js";

interface GoldenTensor {
  readonly name: string;
  readonly shape: number[];
  readonly dtype: string;
  readonly file: string;
}

export interface GoldenCase {
  readonly inputs: TensorValue[];
  readonly outputs: TensorValue[];
  readonly outputNames: string[];
}

/** The recorded inputs and outputs of a model, float ones only. */
export function goldenCases(folder: string): GoldenCase[] {
  const { cases } = JSON.parse(readFileSync(path.join(folder, "golden.json"), "utf8")) as {
    cases: { inputs: GoldenTensor[]; outputs: GoldenTensor[] }[];
  };
  const load = (t: GoldenTensor): TensorValue => {
    if (t.dtype !== "float32") throw new Error(`${t.name} is ${t.dtype}`);
    const raw = readFileSync(path.join(folder, t.file));
    const bytes = t.file.endsWith(".gz") ? gunzipSync(raw) : raw;
    return { data: new Float32Array(new Uint8Array(bytes).buffer), shape: t.shape, dtype: "f32" };
  };
  return cases.map((c) => ({
    inputs: c.inputs.map(load),
    outputs: c.outputs.map(load),
    outputNames: c.outputs.map((o) => o.name),
  }));
}

/** max|a - b| / max|b|, the project's relative error between tensors. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
    if (Number.isNaN(a[i]!)) return Infinity;
  }
  return difference / largest;
}

/** Outputs of the reference executor, in the order of the ports. */
export async function outputsOf(graph: Graph, inputs: readonly TensorValue[]): Promise<TensorValue[]> {
  const record: TensorRecord = Object.fromEntries(graph.inputs.map((p, i) => [p.name, inputs[i]!]));
  const result = await new ReferenceExecutor(graph).run(record);
  return graph.outputs.map((p) => result[p.name]!);
}

/** Standard normal inputs for every port, at batch 1. */
export function randomInputs(graph: Graph, seed: number): TensorValue[] {
  const random = new Random(seed);
  return graph.inputs.map(({ tensor }) => {
    const { shape, dtype } = graph.tensors.get(tensor)!.type;
    const data = allocate(dtype, sizeOf(shape)) as Float32Array;
    for (let i = 0; i < data.length; i++) data[i] = random.normal();
    return { data, shape, dtype };
  });
}

/** How often each operator occurs. */
export function opCounts(graph: Graph): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op } of graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

/** Eight values spread over a tensor, and its shape: what recordings keep of an output. */
export interface Sample {
  readonly shape: number[];
  readonly values: number[];
}

export function sampleOf({ shape, data }: TensorValue): Sample {
  const values = Array.from({ length: 8 }, (_, i) => Number(data[Math.floor((i * (data.length - 1)) / 7)]));
  return { shape: [...shape], values };
}

/** Batch 2, so that what belongs to a sample and what to the batch cannot be confused. */
export function recordedInputs(graph: Graph): TensorValue[] {
  const random = new Random(42);
  return graph.inputs.map(({ tensor }) => {
    const shape = shapeAt(graph.tensors.get(tensor)!.type, 2);
    return { data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()), shape, dtype: "f32" };
  });
}

/**
 * Outputs as TFLite's reference kernels compute them for 8-bit weights beside float activations: the operand of such a
 * node is itself rounded to 127 steps of its largest magnitude, and every result to f32. One sample at a time.
 */
export function hybridOutputs(graph: Graph, inputs: readonly TensorValue[]): TensorValue[] {
  const values = new Map<string, NdArray>();
  const set = (name: string, { data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): void => {
    values.set(name, { data: Float64Array.from(data, Math.fround), shape });
  };
  for (const [name, { data, type }] of graph.tensors) {
    if (data) set(name, { data: data as Float32Array, shape: type.shape });
  }
  graph.inputs.forEach((p, i) => set(p.tensor, { data: inputs[i]!.data as Float32Array, shape: inputs[i]!.shape }));
  for (const node of graph.nodes) {
    const operands = node.inputs.map((name) => values.get(name)!);
    if (node.inputs.some((name) => graph.tensors.get(name)!.quant)) {
      const largest = operands[0]!.data.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
      const step = Math.fround(largest / 127);
      const data = operands[0]!.data.map((x) => step * Math.sign(x) * Math.floor(Math.abs(x) / step + 0.5));
      operands[0] = { ...operands[0]!, data };
    }
    const shapes = node.outputs.map((name) => graph.tensors.get(name)!.type.shape);
    getOp(node.op)
      .reference(operands, node.attrs, shapes)
      .forEach((y, i) => set(node.outputs[i]!, y));
  }
  return graph.outputs.map(({ tensor }) => {
    const { data, shape } = values.get(tensor)!;
    return { data: Float32Array.from(data), shape, dtype: "f32" };
  });
}
