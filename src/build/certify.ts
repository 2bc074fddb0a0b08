import type { ModuleRunner } from "../emit/index.js";
import type { Executor } from "../host/executor-types.js";
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";
import { sizeOf, type Graph, type TensorRecord } from "../model/types.js";

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

/** Smallest interval that holds all probes, as offset ± scale: where a self-test of the module should take place. */
export function rangeOf(inputs: readonly TensorRecord[]): { scale: number; offset: number } {
  let low = Infinity;
  let high = -Infinity;
  for (const record of inputs)
    for (const { data } of Object.values(record))
      for (const v of data as Float32Array) {
        if (v < low) low = v;
        if (v > high) high = v;
      }
  if (!(high > low)) return { scale: 1, offset: 0 };
  return { scale: (high - low) / 2, offset: (high + low) / 2 };
}

/** Largest max|a - b| / max|b| over outputs and samples, a from the module and b from the host. */
export async function moduleError(
  graph: Graph,
  host: Executor,
  module: ModuleRunner,
  inputs: readonly TensorRecord[],
): Promise<number> {
  let worst = 0;
  for (const record of inputs) {
    const expected = await host.run(record);
    const actual = module.run(record);
    for (const { name } of graph.outputs) {
      const b = expected[name]!.data as Float32Array;
      const a = actual[name]!.data as Float32Array;
      let difference = 0;
      let size = 0;
      for (let i = 0; i < b.length; i++) {
        const d = Math.abs(a[i]! - b[i]!);
        // NaN must not pass for agreement.
        difference = Number.isNaN(d) ? Infinity : Math.max(difference, d);
        size = Math.max(size, Math.abs(b[i]!));
      }
      worst = Math.max(worst, size > 0 ? difference / size : difference);
    }
  }
  return worst;
}

/** Which samples the module gets right: 1 or 0 for each. */
export function moduleCorrect(graph: Graph, module: ModuleRunner, data: Split): Uint8Array {
  const port = graph.inputs[0]!.name;
  const output = graph.outputs[0]!.name;
  const values = new Float32Array(sizeOf(data.shape));
  return Uint8Array.from({ length: data.count }, (_, i) => {
    data.read([i], values);
    const scores = module.run({ [port]: values })[output]!.data as Float32Array;
    let best = 0;
    for (let c = 1; c < scores.length; c++) if (scores[c]! > scores[best]!) best = c;
    return best === data.labels![i] ? 1 : 0;
  });
}
