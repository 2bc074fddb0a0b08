import type { Executor } from "../host/executor-types.js";
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";
import type { Graph } from "../model/types.js";
import { inputOf } from "./flow.js";
import { producersOf } from "./producers.js";
import { depthOf, isMixing, windowsOf } from "./windows.js";

/**
 * Second moments of what a layer multiplies: G = E a aᵀ over output positions of calibration samples, a being the
 * layer's inputs at one position (taps, then channels) and a last entry of 1, which stands for the bias.
 */
export interface Moments {
  /** Entries of a: products of one output and one. */
  readonly size: number;
  /** size x size, row-major, symmetric. */
  readonly gram: Float64Array;
}

/** Layers with more products for one output than this have no moments: time and memory grow with the square and more. */
export const MAX_DEPTH = 1300;

/** Positions for each entry of a; fewer leave the moments of rare channels to chance. */
const ROWS_PER_ENTRY = 20;
const MOST_SAMPLES = 256;

/** Moments of every layer that mixes channels, by node name. Positions are drawn by seed. */
export async function measureMoments(
  graph: Graph,
  executor: Executor,
  data: Split,
  seed: number,
): Promise<Map<string, Moments>> {
  const samples = Math.min(MOST_SAMPLES, data.count);
  const record = inputOf(graph, data, 0, samples);
  const result = new Map<string, Moments>();
  for (const p of producersOf(graph)) {
    const input = p.node.inputs[0]!;
    if (!isMixing(p) || depthOf(graph, p) > MAX_DEPTH || graph.tensors.get(input)!.data) continue;
    const seen = await executor.observe(record, [input, p.raw]);
    const x = seen.get(input)!;
    const windows = windowsOf(graph, p, x.shape, seen.get(p.raw)!.shape);
    result.set(p.node.name, momentsOf(depthOf(graph, p) + 1, windows, x.data as Float32Array, new Random(seed)));
  }
  return result;
}

function momentsOf(
  size: number,
  { positions, gather }: ReturnType<typeof windowsOf>,
  data: Float32Array,
  random: Random,
): Moments {
  const gram = new Float64Array(size * size);
  const a = new Float64Array(size).fill(1);
  const rows = Math.min(positions, size * ROWS_PER_ENTRY);
  for (let r = 0; r < rows; r++) {
    gather(rows === positions ? r : random.int(positions), data, a);
    for (let i = 0; i < size; i++) {
      const v = a[i]! / rows;
      if (v !== 0) for (let j = 0, at = i * size; j <= i; j++, at++) gram[at]! += v * a[j]!;
    }
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) gram[j * size + i] = gram[i * size + j]!;
  return { size, gram };
}
