import { expect, test } from "vitest";
import { pairedDifference } from "../../src/build/paired.js";

const flags = (n: number, ...runs: [number, number][]): Uint8Array => {
  const out = new Uint8Array(n);
  for (const [from, to] of runs) out.fill(1, from, to);
  return out;
};

test("equal classifiers: no drop and no doubt", () => {
  const a = flags(100, [0, 90]);
  expect(pairedDifference(a, a)).toEqual({ dropPoints: 0, low: 0, high: 0 });
});

test("worked by hand: 30 lost, 10 won, of 1,000", () => {
  // mean 0.02; variance (40 - 400 / 1000) / 1000^2; 1.96 standard deviations = 1.2334 points.
  const first = flags(1000, [0, 30]);
  const second = flags(1000, [30, 40]);
  const { dropPoints, low, high } = pairedDifference(first, second);
  expect(dropPoints).toBeCloseTo(2, 12);
  expect(low).toBeCloseTo(2 - 1.2334, 3);
  expect(high).toBeCloseTo(2 + 1.2334, 3);
});

test("the sign turns with the order", () => {
  const a = flags(10, [0, 5]);
  const b = flags(10, [0, 7]);
  expect(pairedDifference(a, b).dropPoints).toBe(-pairedDifference(b, a).dropPoints);
});
