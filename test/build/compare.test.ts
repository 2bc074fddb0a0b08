import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare, type CompareOptions, type CompareResult } from "../../src/build/compare.js";
import { spreadOf } from "../../src/build/spread.js";
import { quickBuild, writeTinyProject } from "./support.js";

const root = mkdtempSync(path.join(os.tmpdir(), "idap-compare-"));
const out = path.join(root, "compare");
let options: CompareOptions;
let result: CompareResult;

beforeAll(async () => {
  const { model, data, load, pruning } = quickBuild(await writeTinyProject(root), out);
  const { target: _target, criterion: _criterion, maxDrop: _drop, ...shared } = pruning!;
  options = {
    model,
    data: data!,
    load: load!,
    out,
    criteria: ["divergence", "random", "taylor"],
    seeds: 2,
    seed: 4,
    macs: [0.7],
    pruning: { ...shared, oneShot: true }, // what training adds is the pruner's business
    threads: 1,
    runs: 20,
  };
  result = await compare(options);
}, 240_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a comparison", () => {
  test("runs every criterion with every seed to the same budget", () => {
    expect(result.runs.map((r) => `${r.criterion} ${r.seed}`).sort()).toEqual(
      ["divergence 4", "divergence 5", "random 4", "random 5", "taylor 4", "taylor 5"].sort(),
    );
    for (const run of result.runs) {
      expect(run.macs).toBeLessThanOrEqual(0.7);
      expect(run.macs).toBeGreaterThan(0.2);
      // Three iterations; fewer where one of this small network's coarse steps goes far beyond its share.
      expect(run.recoveries).toBeGreaterThanOrEqual(1);
      expect(run.recoveries).toBeLessThanOrEqual(3);
      expect(run.test).toBeGreaterThan(0);
      expect(run.measuredShare).toBeGreaterThan(0);
    }
  });

  test("the random criterion is another one for another seed", () => {
    const random = result.runs.filter((r) => r.criterion === "random");
    expect(random[0]).not.toEqual({ ...random[1], seed: random[0]!.seed });
  });

  test("rows are the runs summed up, the others against the first", () => {
    for (const row of result.rows) {
      const own = result.runs.filter((r) => r.criterion === row.criterion);
      expect(row.test!.mean).toBeCloseTo((own[0]!.test! + own[1]!.test!) / 2, 12);
    }
    expect(result.rows[0]!.behind).toBeNull();
    const by = (criterion: string): number[] =>
      result.runs.filter((r) => r.criterion === criterion).map((r) => 100 * r.test!);
    const [first, second] = [by("divergence"), by("taylor")];
    expect(result.rows[2]!.behind!.mean).toBeCloseTo((first[0]! - second[0]! + first[1]! - second[1]!) / 2, 9);
  });

  test("leaves its figures, a picture and a file for each run, and nothing else", () => {
    expect(readdirSync(out).sort()).toEqual(["compare.json", "compare.svg", "runs"]);
    expect(readdirSync(path.join(out, "runs"))).toHaveLength(6);
    expect(JSON.parse(readFileSync(path.join(out, "compare.json"), "utf8"))).toEqual(
      JSON.parse(JSON.stringify(result)),
    );
    const svg = readFileSync(path.join(out, "compare.svg"), "utf8");
    expect(svg).toMatch(/^<svg\s+xmlns=/);
    for (const name of options.criteria!) expect(svg).toMatch(new RegExp(`>${name}<`));
    expect(svg).not.toMatch(/NaN|undefined|<script|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  });

  test("goes on from finished runs, and from none whose options differ", async () => {
    const file = path.join(out, "runs", "taylor-7000-5.json");
    rmSync(file);
    const kept = path.join(out, "runs", "taylor-7000-4.json");
    const before = statSync(kept).mtimeMs;
    const again = await compare({ ...options, resume: true });
    const figures = (r: CompareResult): unknown => r.runs.map(({ measuredShare: _, ...rest }) => rest);
    expect(figures(again)).toEqual(figures(result));
    expect(statSync(kept).mtimeMs).toBe(before);
    await compare({ ...options, criteria: ["taylor"], seeds: 1, measure: false, resume: true });
    expect(statSync(kept).mtimeMs).toBeGreaterThan(before);
  }, 120_000);

  test.each([
    [{ criteria: ["taste"] }, "E_CRITERION"],
    [{ criteria: ["l1", "l1"] }, "E_OPTION"],
    [{ criteria: [] }, "E_OPTION"],
    [{ macs: [1] }, "E_OPTION"],
    [{ seeds: 0 }, "E_OPTION"],
  ])("%j is refused before anything is read", async (wrong, code) => {
    await expect(compare({ ...options, ...wrong, model: "missing.onnx" })).rejects.toThrowError(
      expect.objectContaining({ code }),
    );
  });
});

describe("the spread of repeated runs", () => {
  test("by hand: 1, 2, 3, 4, 5", () => {
    const s = spreadOf([1, 2, 3, 4, 5]);
    expect(s).toMatchObject({ n: 5, mean: 3, min: 1, max: 5 });
    expect(s.sd).toBeCloseTo(Math.sqrt(2.5), 12);
    // t(4) = 2.7764; 2.7764 * 1.5811 / 2.2361 = 1.9632
    expect(s.interval![0]).toBeCloseTo(3 - 1.9632, 4);
    expect(s.interval![1]).toBeCloseTo(3 + 1.9632, 4);
  });

  test("one value has no interval", () => {
    expect(spreadOf([7])).toEqual({ n: 1, mean: 7, sd: 0, min: 7, max: 7, interval: null });
  });
});
