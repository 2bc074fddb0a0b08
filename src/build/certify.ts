import { pathToFileURL } from "node:url";
import path from "node:path";
import type { Executor } from "../host/executor-types.js";
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";
import { sizeOf, type Graph, type TensorRecord } from "../model/types.js";

/** What the glue of an emitted package offers. */
export interface LoadedPackage {
  run(inputs: Record<string, Float32Array>): Record<string, Float32Array>;
}

/** Loads an emitted package as a user would, into this process. */
export async function loadPackage(folder: string): Promise<LoadedPackage> {
  // The query keeps Node's module cache from answering with an earlier build in the same folder.
  const url = `${pathToFileURL(path.join(folder, "index.js")).href}?${loads++}`;
  const glue = (await import(url)) as { load: () => Promise<LoadedPackage> };
  return glue.load();
}
let loads = 0;

/** Inputs of `count` samples: from the split, or standard normal numbers where there is no data. */
export function probes(graph: Graph, data: Split | null, count: number): TensorRecord[] {
  const random = new Random(1);
  return Array.from({ length: data ? Math.min(count, data.count) : count }, (_, i) =>
    Object.fromEntries(
      graph.inputs.map(({ name, tensor }) => {
        const { shape } = graph.tensors.get(tensor)!.type;
        const values = new Float32Array(sizeOf(shape));
        if (data) data.read([i], values);
        else for (let k = 0; k < values.length; k++) values[k] = random.normal();
        return [name, { data: values, shape, dtype: "f32" as const }];
      }),
    ),
  );
}

/** Largest max|a - b| / max|b| over outputs and samples, a from the package and b from the host. */
export async function packageError(graph: Graph, host: Executor, loaded: LoadedPackage, inputs: readonly TensorRecord[]): Promise<number> {
  let worst = 0;
  for (const record of inputs) {
    const expected = await host.run(record);
    const plain = Object.fromEntries(Object.entries(record).map(([k, v]) => [k, v.data as Float32Array]));
    const actual = loaded.run(plain);
    for (const { name } of graph.outputs) {
      const b = expected[name]!.data as Float32Array;
      const a = actual[name]!;
      let difference = 0;
      let size = 0;
      for (let i = 0; i < b.length; i++) {
        // NaN must not pass for agreement.
        const d = Math.abs(a[i]! - b[i]!);
        difference = Number.isNaN(d) ? Infinity : Math.max(difference, d);
        size = Math.max(size, Math.abs(b[i]!));
      }
      worst = Math.max(worst, size > 0 ? difference / size : difference);
    }
  }
  return worst;
}

/** Which samples the package gets right: 1 or 0 for each. */
export function packageCorrect(graph: Graph, loaded: LoadedPackage, data: Split): Uint8Array {
  const port = graph.inputs[0]!.name;
  const output = graph.outputs[0]!.name;
  const values = new Float32Array(sizeOf(data.shape));
  return Uint8Array.from({ length: data.count }, (_, i) => {
    data.read([i], values);
    const scores = loaded.run({ [port]: values })[output]!;
    let best = 0;
    for (let c = 1; c < scores.length; c++) if (scores[c]! > scores[best]!) best = c;
    return best === data.labels![i] ? 1 : 0;
  });
}
