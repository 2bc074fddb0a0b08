import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { allocate, sizeOf, type Graph, type TensorRecord, type TensorValue } from "../../src/model/types.js";
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
