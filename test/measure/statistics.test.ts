import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pairedRatio, quantile, summarize } from "../../src/measure/statistics.js";

describe("statistics of timings", () => {
  test("quantiles by hand", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([5], 0.99)).toBe(5);
    expect(quantile([0, 10], 0.9)).toBeCloseTo(9, 12);
    expect(quantile([], 0.5)).toBeNaN();
  });

  test("ordered, within range, and independent of the order of samples", () => {
    const times = fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(times, (samples) => {
        const s = summarize(samples, 1);
        expect(s.min).toBe(Math.min(...samples));
        expect(s.min <= s.p50 && s.p50 <= s.p90 && s.p90 <= s.p99 && s.p99 <= Math.max(...samples)).toBe(true);
        expect(summarize([...samples].reverse(), 1)).toEqual(s);
      }),
    );
  });

  test("a paired ratio is not moved by load that hits both", () => {
    const quiet = Array.from({ length: 40 }, (_, i) => 1 + (i % 3) * 0.01);
    const load = quiet.map((_, i) => (i > 20 ? 5 : 1));
    const base = quiet.map((t, i) => 2 * t * load[i]!);
    const ours = quiet.map((t, i) => t * load[i]!);
    const ratio = pairedRatio(base, ours);
    expect(ratio.median).toBeCloseTo(2, 9);
    expect(ratio.low).toBeCloseTo(2, 9);
    expect(ratio.high).toBeCloseTo(2, 9);
  });
});
