import { expect } from "vitest";
import { ReferenceExecutor } from "../../src/host/reference.js";
import type { Graph, TensorRecord } from "../../src/model/types.js";

/**
 * Largest |a - b| / max |b| over the outputs of two graphs in the reference executor. It computes in f64 and rounds
 * outputs once, so graphs that compute the same differ by one rounding at most (2^-23 of the largest value).
 */
export async function difference(a: Graph, b: Graph, inputs: TensorRecord): Promise<number> {
  const [ya, yb] = await Promise.all([new ReferenceExecutor(a).run(inputs), new ReferenceExecutor(b).run(inputs)]);
  expect(Object.keys(ya)).toEqual(Object.keys(yb));
  let worst = 0;
  for (const [name, value] of Object.entries(yb)) {
    expect(ya[name]!.shape).toEqual(value.shape);
    const p = ya[name]!.data as Float32Array;
    const q = value.data as Float32Array;
    const size = q.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
    q.forEach((v, i) => {
      // Not Math.max alone: it would let a NaN through as NaN, which no comparison catches.
      const gap = Math.abs(v - p[i]!) / size;
      if (!(gap <= worst)) worst = gap;
    });
  }
  return worst;
}
