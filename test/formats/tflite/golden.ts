/** What the recorded models give here, as figures: the tests judge them, and documents can list them. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { createExecutor } from "../../../src/host/executor.js";
import type { Dtype, Graph, TensorData, TensorRecord, TensorValue } from "../../../src/model/types.js";

interface StoredTensor {
  readonly name: string;
  readonly shape: number[];
  readonly dtype: string;
  readonly file: string;
}

/** One recorded run, by the names of the file's tensors. */
export interface Recorded {
  readonly inputs: readonly TensorValue[];
  readonly outputs: readonly TensorValue[];
}

const DTYPES: Readonly<Record<string, readonly [Dtype, (buffer: ArrayBuffer) => TensorData]>> = {
  float32: ["f32", (b) => new Float32Array(b)],
  int8: ["i8", (b) => new Int8Array(b)],
  uint8: ["u8", (b) => new Uint8Array(b)],
  int32: ["i32", (b) => new Int32Array(b)],
  int64: ["i64", (b) => new BigInt64Array(b)],
  bool: ["bool", (b) => new Uint8Array(b)],
};

/** The recorded runs of a model, from `golden/<model file>/golden.json` beside it. */
export function recordedRuns(modelPath: string): Recorded[] {
  const folder = path.join(path.dirname(modelPath), "golden", path.basename(modelPath));
  const { cases } = JSON.parse(readFileSync(path.join(folder, "golden.json"), "utf8")) as {
    cases: { inputs: StoredTensor[]; outputs: StoredTensor[] }[];
  };
  const load = ({ shape, dtype, file }: StoredTensor): TensorValue => {
    const raw = readFileSync(path.join(folder, file));
    const bytes = new Uint8Array(file.endsWith(".gz") ? gunzipSync(raw) : raw);
    const [own, view] = DTYPES[dtype]!;
    return { data: view(bytes.slice().buffer), shape, dtype: own };
  };
  return cases.map((c) => ({ inputs: c.inputs.map(load), outputs: c.outputs.map(load) }));
}

/** How one output of one run compares with the recorded one. */
export interface Seen {
  readonly output: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: number;
  /** Largest minus smallest recorded value; of a single value its size. */
  readonly range: number;
  /** Largest difference, in steps for integers. */
  readonly difference: number;
  /** Share of values that are at most 1 apart. */
  readonly withinOne: number;
  readonly equal: number;
  /** Whether the largest value stands at the same place. */
  readonly sameTop: boolean;
}

export function compare(output: string, got: TensorValue, want: TensorValue): Seen {
  const [a, b] = [got, want].map(({ data }) => Array.from(data as ArrayLike<number | bigint>, Number)) as [
    number[],
    number[],
  ];
  if (a.length !== b.length) throw new Error(`${output}: ${a.length} values against ${b.length}`);
  const differences = a.map((v, i) => (Number.isNaN(v) ? Infinity : Math.abs(v - b[i]!)));
  const largest = (values: number[]): number => values.reduce((m, v) => Math.max(m, v), -Infinity);
  const share = (most: number): number => differences.filter((d) => d <= most).length / a.length;
  return {
    output,
    dtype: got.dtype,
    shape: got.shape,
    values: a.length,
    range: b.length === 1 ? Math.abs(b[0]!) : largest(b) + largest(b.map((v) => -v)),
    difference: largest(differences),
    withinOne: share(1),
    equal: share(0),
    // Of equal largest recorded values any will do.
    sameTop: b[a.indexOf(largest(a))] === largest(b),
  };
}

/** Runs the recorded inputs; the outputs in the order of the ports. */
export async function replay(
  graph: Graph,
  runs: readonly Recorded[],
  executor: "wasm" | "reference",
): Promise<{ readonly values: readonly TensorValue[]; readonly seen: readonly Seen[] }[]> {
  const engine = createExecutor(executor, graph);
  try {
    const results = [];
    for (const { inputs, outputs } of runs) {
      const record: TensorRecord = Object.fromEntries(graph.inputs.map((p, i) => [p.name, inputs[i]!]));
      const got = await engine.run(record);
      const values = graph.outputs.map((p) => got[p.name]!);
      results.push({ values, seen: graph.outputs.map((p, i) => compare(p.name, values[i]!, outputs[i]!)) });
    }
    return results;
  } finally {
    await engine.close();
  }
}
