import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stratify } from "../../src/data/split.js";

const options = { seed: 7, validationFraction: 0.25, calibrationCount: 20 };

describe("stratified split", () => {
  test("train and validation divide the samples, calibration lies in train, classes keep their share", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.integer({ min: 0, max: 60 }),
        (list, seed, validationFraction, calibrationCount) => {
          const labels = Int32Array.from(list);
          const s = stratify(labels.length, labels, { seed, validationFraction, calibrationCount });
          expect([...s.train, ...s.validation].sort((a, b) => a - b)).toEqual(list.map((_, i) => i));
          const train = new Set(s.train);
          expect(s.calibration.every((i) => train.has(i))).toBe(true);
          expect(new Set(s.calibration).size).toBe(Math.min(calibrationCount, s.train.length));
          for (let c = 0; c < 5; c++) {
            const all = list.filter((l) => l === c).length;
            const held = [...s.validation].filter((i) => labels[i] === c).length;
            expect(Math.abs(held - all * validationFraction)).toBeLessThanOrEqual(0.5);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("the seed alone decides: equal seeds give equal splits, another seed another one", () => {
    const labels = Int32Array.from({ length: 400 }, (_, i) => i % 10);
    const a = stratify(400, labels, options);
    expect(stratify(400, labels, options)).toEqual(a);
    expect(stratify(400, labels, { ...options, seed: 8 }).validation).not.toEqual(a.validation);
  });

  test("a file sorted by class gives mixed batches", () => {
    const labels = Int32Array.from({ length: 400 }, (_, i) => Math.floor(i / 40));
    const first = [...stratify(400, labels, options).train.slice(0, 100)].map((i) => labels[i]);
    expect(new Set(first).size).toBe(10);
  });

  test("unlabelled samples are split too", () => {
    const s = stratify(40, null, options);
    expect([s.train.length, s.validation.length, s.calibration.length]).toEqual([30, 10, 20]);
  });
});
