import { describe, expect, test } from "vitest";
import { stepBack, withinDrop, worthAnotherRound, type Rung } from "../../src/pruner/budget.js";

const rung = (step: number, accuracy: number): Rung => ({
  step,
  figures: { macs: 100 - step, params: 0, bytes: 0, predictedMs: 1, accuracy },
});

describe("the accuracy limit", () => {
  test.each([
    [0.9, 0.885, 1.5, true], // exactly the limit, in spite of binary fractions
    [0.9, 0.8849, 1.5, false],
    [0.9, 0.95, 0, true],
    [0.7, 0.7, 0, true],
  ])("dense %f, now %f, limit %f points: %s", (dense, now, limit, inside) => {
    expect(withinDrop(dense, now, limit)).toBe(inside);
  });
});

describe("another round of fine-tuning", () => {
  test.each([
    [0.84, 0.87, 0.9, 1, true], // gained 3 points, 2 are missing
    [0.84, 0.87, 0.9, 0, true], // exactly as many are missing
    [0.86, 0.87, 0.9, 1, false],
    [0.87, 0.86, 0.9, 5, false], // lost some, though inside
  ])("from %f to %f, dense %f, limit %f: %s", (before, now, dense, limit, worth) => {
    expect(worthAnotherRound({ before, now, samples: 1e9 }, dense, limit)).toBe(worth);
  });
});

describe("another round where the gain is smaller than its error", () => {
  // 0.8787 of 3,000 samples: standard error 0.6 points
  test.each([
    [0.8777, 0.8787, 3000, 5, true], // 0.13 points are missing
    [0.8777, 0.8787, 3000, 4.6, true],
    [0.8777, 0.8787, 3000, 4.5, false], // 0.63 are missing
    [0.8777, 0.8787, 300000, 5, false], // 0.13 are missing, and that is more than the error
    [0.8788, 0.8787, 3000, 5, false], // gained nothing
  ])("from %f to %f on %i samples, dense 0.93, limit %f: %s", (before, now, samples, limit, worth) => {
    expect(worthAnotherRound({ before, now, samples }, 0.93, limit)).toBe(worth);
  });
});

describe("stepping back", () => {
  const ladder = [rung(0, 0.9), rung(1, 0.89), rung(2, 0.885), rung(4, 0.86), rung(5, 0.84)];

  test("the last try expects the gain that fine-tuning had: the smallest network that would then be inside", () => {
    // Step 5 gained 1 point: step 4 would end at 0.87, outside 2.5 points of 0.9; step 2 at 0.895.
    expect(stepBack(ladder, ladder[4]!, 0.85, 0.9, 2.5, true)!.step).toBe(2);
    expect(stepBack(ladder, ladder[4]!, 0.85, 0.9, 4, true)!.step).toBe(4);
  });

  test("an earlier try goes half way there, to the smaller one of two", () => {
    expect(stepBack(ladder, ladder[4]!, 0.85, 0.9, 2.5, false)!.step).toBe(4); // between steps 2 and 4
    expect(stepBack(ladder, ladder[4]!, 0.5, 0.9, 1, false)!.step).toBe(2); // between steps 1 and 4
    expect(stepBack(ladder, ladder[4]!, 0.85, 0.9, 4, false)!.step).toBe(4);
  });

  test("without hope anywhere the last try takes the biggest accepted network", () => {
    expect(stepBack(ladder, ladder[4]!, 0.5, 0.9, 1, true)!.step).toBe(1);
  });

  test("the dense network is no candidate", () => {
    expect(stepBack(ladder, ladder[1]!, 0.8, 0.9, 1, false)).toBeNull();
  });
});
