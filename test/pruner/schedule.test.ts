import { expect, test } from "vitest";
import { removals, share } from "../../src/pruner/schedule.js";

/** Channels that iteration after iteration removes of 1,000, and what is left. */
function run(rho0: number, iterations: number, alpha: number, channels: number): { removed: number[]; left: number } {
  let left = channels;
  const removed: number[] = [];
  for (let t = 0; t < iterations; t++) {
    removed.push(removals({ rho0, iterations, alpha }, t, left));
    left -= removed[t]!;
  }
  return { removed, left };
}

test("the schedule of the paper's function defaults on 1,000 channels", () => {
  expect(run(0.05, 10, 1.5, 1000)).toEqual({ removed: [50, 54, 58, 62, 64, 65, 65, 64, 62, 59], left: 397 });
});

test.each([
  // name                 rho0   T   first   last   channels left (published)
  ["function defaults", 0.05, 10, 0.05, 0.131, 0.394],
  ["main script", 0.1, 20, 0.1, 0.272, 0.017],
  ["experiment runner", 0.05, 5, 0.05, 0.121, 0.643],
  ["sibling method", 0.1, 30, 0.1, 0.276, 0.002],
])("cumulative survivors: %s", (_name, rho0, iterations, first, last, left) => {
  const schedule = { rho0, iterations, alpha: 1.5 };
  expect(share(schedule, 0)).toBeCloseTo(first, 3);
  expect(share(schedule, iterations - 1)).toBeCloseTo(last, 3);
  let survivors = 1;
  for (let t = 0; t < iterations; t++) survivors *= 1 - share(schedule, t);
  expect(survivors).toBeCloseTo(left, 3);
});

test("a share never exceeds everything", () => {
  expect(share({ rho0: 0.9, iterations: 4, alpha: 3 }, 3)).toBe(1);
});
