import { describe, expect, test } from "vitest";
import { hyperbolicTangent, logistic, tableOf } from "../../../src/model/passes/fixed-point-functions.js";

const STEP = 2 ** -15;

describe("functions in 16-bit fixed point", () => {
  /**
   * In units of 2^-13: the last of Newton's steps is rounded to 2^-11, half of which is 2; its two products half a unit each,
   * doubled by the factor x <= 2; and the exponential, off by some of its own 2^-15, 1 more.
   */
  const ERROR = 5 * 2 ** -13;

  test("the logistic function", () => {
    const table = tableOf(logistic);
    table.forEach((y, i) => expect(Math.abs(y - 1 / (1 + Math.exp(-(i - 32768) / 4096)))).toBeLessThanOrEqual(ERROR));
    expect(table[32768]).toBe(0.5);
    // What is left to 1 is that of the opposite number; 1 itself is one step too large.
    for (let a = 1; a < 32768; a += 7) expect(table[32768 + a]! + table[32768 - a]!).toBe(1 - STEP);
  });

  test.each([0, 3, 4, 5])("the hyperbolic tangent of numbers with %d integer bits", (bits) => {
    const table = tableOf((a) => hyperbolicTangent(a, bits));
    table.forEach((y, i) =>
      expect(Math.abs(y - Math.tanh(((i - 32768) * 2 ** bits) / 32768))).toBeLessThanOrEqual(ERROR),
    );
    for (let a = 0; a < 32768; a += 7) expect(table[32768 + a]! + table[32768 - a]!).toBe(0);
  });
});
