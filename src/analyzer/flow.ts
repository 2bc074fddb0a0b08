import type { Executor } from "../host/executor-types.js";
import type { Split } from "../model/dataset.js";
import { sizeOf, type Graph, type TensorRecord, type TensorValue } from "../model/types.js";

/** Running statistics of one tensor over a calibration split; arrays have one entry per channel (last axis). */
export interface ChannelStats {
  readonly channels: number;
  /** Spatial positions (or tokens) of one sample. */
  readonly positions: number;
  /** E_x of the Euclidean norm over positions. */
  readonly norm: Float64Array;
  /** As `norm`, of max(0, value). */
  readonly positiveNorm: Float64Array;
  /** Mean, mean square, smallest and largest value over samples and positions. */
  readonly mean: Float64Array;
  readonly meanSquare: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** E_x of the share of positions with a value above zero. */
  readonly active: Float64Array;
  /** E_x of the Frobenius norm of each head of an attention's result; empty for other tensors. */
  readonly headNorm: Float64Array;
}

/** A pair of tensors of one shape whose difference is of interest: a unit's output and input. */
export interface Pair {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** E_x ‖to‖ / (‖from‖ + 1e-6) and E_x ‖to - from‖ / (‖from‖ + 1e-6), tensors flattened per sample. */
export interface PairStats {
  readonly ratio: number;
  readonly change: number;
}

/** What the network does with real data. All means are taken per sample and then over samples, in f64. */
export interface Flow {
  readonly samples: number;
  readonly tensors: ReadonlyMap<string, ChannelStats>;
  readonly pairs: ReadonlyMap<string, PairStats>;
}

/** Keeps ‖x‖ = 0 finite (the source's constant). */
const EPSILON = 1e-6;

/** Bytes of observed activations that one chunk may hold. */
const CHUNK_BYTES = 48 * 1024 * 1024;

class Accumulator {
  readonly norm: Float64Array;
  readonly positiveNorm: Float64Array;
  readonly sum: Float64Array;
  readonly sumSquare: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly active: Float64Array;
  readonly headNorm: Float64Array;

  constructor(
    readonly channels: number,
    readonly positions: number,
    heads: number,
  ) {
    this.headNorm = new Float64Array(heads);
    const zeros = (): Float64Array => new Float64Array(channels);
    this.norm = zeros();
    this.positiveNorm = zeros();
    this.sum = zeros();
    this.sumSquare = zeros();
    this.active = zeros();
    this.min = zeros().fill(Infinity);
    this.max = zeros().fill(-Infinity);
  }

  /** Adds samples that lie one after another in `data`. */
  add(data: Float32Array, samples: number): void {
    const { channels, positions, norm, positiveNorm, sum, sumSquare, min, max, active } = this;
    const square = new Float64Array(channels);
    const positive = new Float64Array(channels);
    const above = new Float64Array(channels);
    const size = channels * positions;
    for (let s = 0; s < samples; s++) {
      // Channel by channel: five running values stay in registers.
      for (let c = 0; c < channels; c++) {
        let total = 0;
        let q = 0;
        let plus = 0;
        let count = 0;
        let low = min[c]!;
        let high = max[c]!;
        for (let i = s * size + c, end = (s + 1) * size; i < end; i += channels) {
          const v = data[i]!;
          total += v;
          q += v * v;
          if (v > 0) {
            plus += v * v;
            count++;
          }
          if (v < low) low = v;
          if (v > high) high = v;
        }
        sum[c]! += total;
        square[c] = q;
        positive[c] = plus;
        above[c] = count;
        min[c] = low;
        max[c] = high;
      }
      const width = channels / this.headNorm.length;
      for (let h = 0; h < this.headNorm.length; h++) {
        let total = 0;
        for (let c = h * width; c < (h + 1) * width; c++) total += square[c]!;
        this.headNorm[h]! += Math.sqrt(total);
      }
      for (let c = 0; c < channels; c++) {
        norm[c]! += Math.sqrt(square[c]!);
        positiveNorm[c]! += Math.sqrt(positive[c]!);
        sumSquare[c]! += square[c]!;
        active[c]! += above[c]! / positions;
      }
    }
  }

  finish(samples: number): ChannelStats {
    const values = samples * this.positions;
    const over = (a: Float64Array, n: number): Float64Array => a.map((v) => v / n);
    return {
      channels: this.channels,
      positions: this.positions,
      norm: over(this.norm, samples),
      positiveNorm: over(this.positiveNorm, samples),
      mean: over(this.sum, values),
      meanSquare: over(this.sumSquare, values),
      min: this.min,
      max: this.max,
      active: over(this.active, samples),
      headNorm: over(this.headNorm, samples),
    };
  }
}

/** The first `count` samples of a split as the single input of a graph. */
export function inputOf(graph: Graph, data: Split, start: number, count: number): TensorRecord {
  const port = graph.inputs[0]!;
  const { type } = graph.tensors.get(port.tensor)!;
  const shape = type.shape.map((d, i) => (i === type.batchAxis ? d * count : d));
  const values = new Float32Array(sizeOf(shape));
  data.read(
    Array.from({ length: count }, (_, i) => start + i),
    values,
  );
  return { [port.name]: { data: values, shape, dtype: "f32" } };
}

/**
 * Streams the first `samples` samples of a split through the network and gathers statistics of the named tensors.
 * Deterministic: fixed order, fixed chunks, f64 sums.
 */
export async function measureFlow(
  graph: Graph,
  executor: Executor,
  data: Split,
  request: { tensors: readonly string[]; pairs?: readonly Pair[]; samples?: number },
): Promise<Flow> {
  const samples = Math.min(data.count, request.samples ?? data.count);
  const pairs = request.pairs ?? [];
  const accumulators = new Map<string, Accumulator>();
  const attentions = graph.nodes.filter((node) => node.op === "attention");
  const headsOf = new Map(attentions.map(({ outputs, attrs }) => [outputs[0]!, attrs.kvHeads as number]));
  for (const name of request.tensors) {
    const { shape } = graph.tensors.get(name)!.type;
    const channels = shape.at(-1)!;
    accumulators.set(name, new Accumulator(channels, sizeOf(shape) / channels, headsOf.get(name) ?? 0));
  }
  const names = [...new Set([...request.tensors, ...pairs.flatMap((p) => [p.from, p.to])])];
  const bytesPerSample = 4 * names.reduce((s, n) => s + sizeOf(graph.tensors.get(n)!.type.shape), 0);
  const batched = graph.tensors.get(graph.inputs[0]!.tensor)!.type.batchAxis !== null;
  const chunk = batched ? Math.max(1, Math.min(64, Math.floor(CHUNK_BYTES / bytesPerSample))) : 1;
  const sums = new Map(pairs.map((p) => [p.name, { ratio: 0, change: 0 }]));

  for (let start = 0; start < samples; start += chunk) {
    const count = Math.min(chunk, samples - start);
    const seen: ReadonlyMap<string, TensorValue> = await executor.observe(inputOf(graph, data, start, count), names);
    for (const [name, acc] of accumulators) acc.add(seen.get(name)!.data as Float32Array, count);
    for (const p of pairs) {
      const from = seen.get(p.from)!.data as Float32Array;
      const to = seen.get(p.to)!.data as Float32Array;
      const sum = sums.get(p.name)!;
      const size = from.length / count;
      for (let s = 0; s < count; s++) {
        let a = 0;
        let b = 0;
        let d = 0;
        for (let i = s * size; i < (s + 1) * size; i++) {
          const u = from[i]!;
          const v = to[i]!;
          a += u * u;
          b += v * v;
          d += (v - u) * (v - u);
        }
        const base = Math.sqrt(a) + EPSILON;
        sum.ratio += Math.sqrt(b) / base;
        sum.change += Math.sqrt(d) / base;
      }
    }
  }
  const finished = new Map([...accumulators].map(([name, acc]) => [name, acc.finish(samples)]));
  const meanPairs = new Map(
    [...sums].map(([name, s]) => [name, { ratio: s.ratio / samples, change: s.change / samples }]),
  );
  return { samples, tensors: finished, pairs: meanPairs };
}
