import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  batchSize,
  CAPACITY,
  clockStep,
  MINUTE_CAPACITY,
  Rounds,
  TIMELINE_POINTS,
  timeJob,
  type TimingHost,
  type TimingOptions,
} from "../../src/measure/device/timing.mjs";
import { writeTinyPackage } from "../support/tiny-package.js";

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "idap-timing-"));
  await writeTinyPackage(dir, 2000);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const OPTIONS: TimingOptions = {
  runs: 10,
  warmup: 5,
  warmupMs: 20,
  minMs: 0,
  sampleMs: 0.05,
  precision: 0.02,
  minuteMs: 60_000,
};

/** This engine with a clock that steps `stepMs`, as browsers' clocks do. */
const host = (now: () => number): TimingHost => ({
  now,
  read: async (pkg, file) => ({ bytes: readFileSync(path.join(pkg.at, file)) }),
  pause: () => Promise.resolve(),
  report: () => {},
  memory: () => null,
});
const coarse = (stepMs: number) => (): number => Math.floor(performance.now() / stepMs) * stepMs;
const job = (options: TimingOptions) => ({
  groups: [[{ at: dir, name: "tiny", variants: ["simd" as const], inputs: ["f32"], vector: null }]],
  options,
});

describe("the clock", () => {
  test.each([0.1, 1])("a step of %s ms is found", (stepMs) => {
    const found = clockStep(coarse(stepMs));
    // The median step is one tick, or a few where the machine was away for a moment.
    expect(found).toBeGreaterThan(0.99 * stepMs);
    expect(found).toBeLessThan(5.01 * stepMs);
  });

  test("a clock that stands still does not hang", () => {
    expect(clockStep(() => 5)).toBe(100);
  });

  test("samples last long enough for the clock and for the reader", () => {
    const wanted = { sampleMs: 0.05, precision: 0.02 };
    expect(batchSize(0.01, 1e-4, wanted)).toBe(5); // 0.05 ms
    expect(batchSize(0.01, 0.1, wanted)).toBe(500); // fifty steps of 0.1 ms
    expect(batchSize(200, 1, wanted)).toBe(1);
    expect(batchSize(0, 1, wanted)).toBeLessThanOrEqual(1 << 20);
  });

  test("with a step of 1 ms, as Safari's, a run of microseconds is still told from another", async () => {
    // Samples as long as the coarse clock makes them: ten of 0.05 ms may all fall into one moment of a busy machine.
    const fine = await timeJob(
      job({ ...OPTIONS, sampleMs: 50 }),
      host(() => performance.now()),
    );
    const { clockStepMs, groups } = await timeJob(job(OPTIONS), host(coarse(1)));
    const [[m]] = groups as [[(typeof groups)[number][number]]];
    expect(clockStepMs).toBeGreaterThanOrEqual(1);
    expect(m.batch * m.minMs).toBeGreaterThan(20);
    // The quickest samples: the same run by a clock 1,000 times as fine.
    const ratio = m.minMs / fine.groups[0]![0]!.minMs;
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });
});

describe("memory stays flat", () => {
  test("of a million rounds a fair sample is kept, and pairs stay pairs", () => {
    const rounds = new Rounds(2, 1000);
    const total = 1_000_000;
    for (let i = 0; i < total; i++) rounds.add([i, 2 * i]);
    const a = rounds.column(0);
    const b = rounds.column(1);
    expect(rounds.count).toBe(total);
    expect(a.length).toBe(1000);
    a.forEach((v, i) => expect(Math.abs(b[i]! - 2 * v)).toBeLessThanOrEqual(10)); // six digits are kept
    // Uniform over the whole: the mean of 1000 draws has a standard error of total / sqrt(12 * 1000); five of them.
    const mean = a.reduce((x, y) => x + y, 0) / a.length;
    expect(Math.abs(mean - total / 2)).toBeLessThan((5 * total) / Math.sqrt(12_000));
    // No tenth of the time is over- or underrepresented: 100 expected, binomial, five standard deviations.
    for (let tenth = 0; tenth < 10; tenth++) {
      const n = a.filter((v) => Math.floor((10 * v) / total) === tenth).length;
      expect(Math.abs(n - 100)).toBeLessThan(5 * Math.sqrt(90));
    }
  });

  test("however many samples are taken, what is kept and sent has a limit", async () => {
    const { groups } = await timeJob(
      job({ ...OPTIONS, runs: 20_000, minMs: 1500, minuteMs: 500, sampleMs: 0.001, precision: 1 }),
      host(() => performance.now()),
    );
    const m = groups[0]![0]!;
    expect(m.count).toBeGreaterThanOrEqual(20_000);
    expect(m.samples.length).toBe(CAPACITY);
    expect(m.first!.length).toBe(MINUTE_CAPACITY);
    expect(m.last!.length).toBe(MINUTE_CAPACITY);
    expect(m.timeline.length).toBeLessThanOrEqual(TIMELINE_POINTS);
    expect(JSON.stringify(m).length).toBeLessThan(256 * 1024);
    expect(m.minMs).toBeLessThanOrEqual(Math.min(...m.samples) * 1.00001);
  });
});
