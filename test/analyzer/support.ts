import { measureFlow, type Flow } from "../../src/analyzer/flow.js";
import { producersOf } from "../../src/analyzer/producers.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import type { Split } from "../../src/model/dataset.js";
import { Random } from "../../src/model/random.js";
import { sizeOf, type Graph } from "../../src/model/types.js";

/** A split that holds the given samples. */
export function splitOf(
  samples: readonly (readonly number[])[],
  shape: readonly number[],
  labels?: readonly number[],
): Split {
  const size = sizeOf(shape);
  return {
    name: "test",
    count: samples.length,
    shape,
    labels: labels ? Int32Array.from(labels) : null,
    classes: labels ? Math.max(...labels) + 1 : 0,
    read: (indices, out) => Array.from(indices).forEach((s, k) => out.set(samples[s]!, k * size)),
  };
}

/** Standard normal samples. */
export function noise(count: number, shape: readonly number[], seed = 1): Split {
  const random = new Random(seed);
  return splitOf(
    Array.from({ length: count }, () => Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal()))),
    shape,
  );
}

/** Statistics of everything that any criterion reads, from the oracle. */
export function flowOf(graph: Graph, data: Split): Promise<Flow> {
  const tensors = new Set(producersOf(graph).flatMap((p) => [p.raw, p.activated]));
  return measureFlow(graph, new ReferenceExecutor(graph), data, { tensors: [...tensors] });
}
