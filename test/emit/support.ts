/** Emission for tests: modules from graphs, compared with the reference executor. */
import v8 from "node:v8";
import {
  emitFiles,
  instantiateModule,
  planEmission,
  type ModuleRunner,
  type WinogradMode,
} from "../../src/emit/index.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { Random } from "../../src/model/random.js";
import { shapeAt, sizeOf, type Graph, type TensorRecord } from "../../src/model/types.js";
import { compileOptions, moduleSource } from "../../src/emit/source.js";
import { compileVariant } from "../../src/emit/compile.js";
import type { Variant } from "../../src/kernels/tiles.js";

// Node 20 has relaxed SIMD behind a flag; later versions have it on and know no such flag (they ignore the call).
v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

/** Modules of the given variants that this engine runs; without the optimiser in a tenth of the time. */
export async function compileGraph(
  graph: Graph,
  variants: readonly Variant[] = ["simd", "relaxed"],
  optimise = true,
  winograd: WinogradMode = "auto",
): Promise<ModuleRunner[]> {
  const plan = planEmission(graph, winograd);
  const runners: ModuleRunner[] = [];
  for (const variant of variants) {
    const { pages } = plan.memory;
    const options = compileOptions(variant, pages).map((o) => (o === "-O2" && !optimise ? "-O0" : o));
    const wasm = await compileVariant(moduleSource(plan, variant), variant, pages, options);
    const runner = instantiateModule(variant, wasm, plan.weights.file, plan.laid.inputs, plan.laid.outputs);
    if (runner) runners.push(runner);
  }
  return runners;
}

/** Seeded normal inputs for every port, at batch 1. */
export function randomInputs(graph: Graph, seed: number): TensorRecord {
  const random = new Random(seed);
  return Object.fromEntries(
    graph.inputs.map((port) => {
      const { type } = graph.tensors.get(port.tensor)!;
      const shape = shapeAt(type, 1);
      return [
        port.name,
        { data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()), shape, dtype: "f32" },
      ];
    }),
  );
}

/** max |a - b| / max |b| over all elements; 0 for two empty or equal arrays. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0,
    scale = 0;
  for (let i = 0; i < b.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    if (!(d <= most)) most = d; // NaN sticks
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return most === 0 ? 0 : most / (scale || 1);
}

/** The largest relative error of any output of any variant against the reference, over `runs` inputs. */
export async function emissionError(graph: Graph, runs = 2, seed = 1): Promise<number> {
  const runners = await compileGraph(graph);
  const reference = new ReferenceExecutor(graph);
  let worst = 0;
  // Twice with other inputs: the second run meets memory that the first has used.
  for (let i = 0; i < runs; i++) {
    const inputs = randomInputs(graph, seed + i);
    const expected = await reference.run(inputs);
    for (const runner of runners) {
      const got = runner.run(inputs);
      for (const port of graph.outputs) {
        const error = relativeError(got[port.name]!.data as Float32Array, expected[port.name]!.data as Float32Array);
        if (!(error <= worst)) worst = error;
      }
    }
  }
  return worst;
}

export { emitFiles };
