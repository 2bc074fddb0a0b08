import { describe, expect, test } from "vitest";
import { GLYPHS } from "../../src/data/glyph-shapes.js";
import { glyphs, GLYPH_SIZE } from "../../src/data/glyphs.js";
import { softmaxRegression } from "../support/softmax-regression.js";

const small = { train: 60, validation: 30, calibration: 20, test: 30 };

describe("glyphs", () => {
  test("the same seed draws the same pixels, another seed others", () => {
    const a = glyphs(7, small);
    expect(glyphs(7, small).hash).toBe(a.hash);
    expect(glyphs(8, small).hash).not.toBe(a.hash);
    // Recorded once: a change of any pixel changes it, on any engine.
    expect(a.hash).toBe("fa2561e022d5e8498be82e2af5fa21a80d5d21415d3294fb0a4dd6aaaaa85f71");
  });

  test("splits share no image; calibration is a part of train", () => {
    const data = glyphs(3, small);
    const area = GLYPH_SIZE * GLYPH_SIZE;
    const keys = (split: typeof data.train): string[] => {
      const out = new Float32Array(split.count * area);
      split.read([...Array(split.count).keys()], out);
      return [...Array(split.count).keys()].map((i) => out.subarray(i * area, (i + 1) * area).join());
    };
    const all = [...keys(data.train), ...keys(data.validation), ...keys(data.test!)];
    expect(new Set(all).size).toBe(all.length);
    const train = new Set(keys(data.train));
    for (const key of keys(data.calibration)) expect(train.has(key)).toBe(true);
  });

  test("values are in 0..1, classes equally frequent, reads in any order agree", () => {
    const { train } = glyphs(5, small);
    const area = GLYPH_SIZE * GLYPH_SIZE;
    const forward = new Float32Array(3 * area);
    const backward = new Float32Array(3 * area);
    train.read([4, 9, 17], forward);
    train.read([17, 9, 4], backward);
    expect(Math.min(...forward)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...forward)).toBeLessThanOrEqual(1);
    expect(backward.subarray(0, area)).toEqual(forward.subarray(2 * area));
    const counts = new Array<number>(GLYPHS.length).fill(0);
    for (const label of train.labels!) counts[label]!++;
    expect(counts).toEqual(new Array(GLYPHS.length).fill(small.train / GLYPHS.length));
  });

  test("a linear classifier stays below 80 %, and well above chance", () => {
    const data = glyphs(1, { train: 3000, validation: 0, calibration: 0, test: 1000 });
    const { test: accuracy, train } = softmaxRegression(data.train, data.test!, { epochs: 12, seed: 1 });
    // It has learnt what there is for it to learn: it fits its own training images much better than chance.
    expect(train).toBeGreaterThan(0.55);
    expect(accuracy).toBeGreaterThan(0.3);

    expect(accuracy).toBeLessThan(0.8);
  });
});
