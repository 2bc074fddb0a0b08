import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { predictLatency } from "../../src/analyzer/latency.js";
import { correctedProfile, correction, overBudget, timeHolders } from "../../src/build/latency-budget.js";
import { sweepSvg } from "../../src/build/sweep-svg.js";
import type { SweptStep } from "../../src/build/sweep.js";
import { throttleOf } from "../../src/build/time-on.js";
import { deviceProfile } from "../../src/model/device-profile.js";
import { continuedState } from "../../src/pruner/continue.js";
import type { PruneState } from "../../src/pruner/state.js";
import { randomNetwork } from "../support/networks.js";

const profile = deviceProfile.parse(
  JSON.parse(readFileSync(new URL("../../targets/devices/node-generic.json", import.meta.url), "utf8")),
);
const facts = { budgetMs: 5, predictedMs: 4.9, densePredictedMs: 10, measuredShare: null };

describe("a budget in milliseconds", () => {
  test("is kept by prediction where the device is elsewhere, to the last bit", () => {
    expect(overBudget(facts, "phone", 1, "conv (50 %)")).toBeNull();
    expect(overBudget({ ...facts, predictedMs: 5 }, "phone", 1, "")).toBeNull();
    expect(overBudget({ ...facts, predictedMs: 5.001 }, "phone", 1, "conv (50 %)")).toMatch(
      /5\.00 ms on phone cannot be met within 1 points: the nearest network takes 5\.00 ms \(predicted\); most of it in conv \(50 %\)/,
    );
  });

  test("is kept by what was measured where the device is here, with 5 % for the measurement", () => {
    // 52 % of the dense network's 10 ms.
    expect(overBudget({ ...facts, measuredShare: 0.52 }, "node", 1, "")).toBeNull();
    expect(overBudget({ ...facts, measuredShare: 0.53 }, "node", 1, "")).toMatch(/5\.30 ms \(measured\)/);
    // A prediction outside does not count against a package that measures inside.
    expect(overBudget({ ...facts, predictedMs: 6, measuredShare: 0.5 }, "node", 1, "")).toBeNull();
  });

  test("a package that measures outside corrects the profile, so that it would have been predicted as it is", () => {
    expect(correction(facts)).toBeNull();
    expect(correction({ ...facts, measuredShare: 0.52 })).toBeNull();
    const factor = correction({ ...facts, measuredShare: 0.6 })!;
    expect(factor * facts.predictedMs).toBeCloseTo(6, 12);
    const graph = randomNetwork(3);
    const corrected = correctedProfile(profile, factor);
    expect(predictLatency(graph, corrected).ms).toBeCloseTo(factor * predictLatency(graph, profile).ms, 12);
    expect(correctedProfile(corrected, 2).corrected).toBeCloseTo(2 * factor, 12);
    expect(deviceProfile.parse(JSON.parse(JSON.stringify(corrected)))).toEqual(corrected);
  });

  test("nothing is corrected where pruning ended before the prediction was inside: it would end there again", () => {
    expect(correction({ ...facts, predictedMs: 5.5, measuredShare: 0.6 })).toBeNull();
  });

  test("a refusal names the layers that hold the time, the slowest first", () => {
    const graph = randomNetwork(3);
    const { nodes, ms } = predictLatency(graph, profile);
    const slowest = [...nodes].sort((a, b) => b.ms - a.ms)[0]!;
    const holders = timeHolders(graph, profile);
    expect(holders.startsWith(`${slowest.node} (${((100 * slowest.ms) / ms).toFixed(0)} %)`)).toBe(true);
    expect(holders.split(", ").length).toBeLessThanOrEqual(3);
  });
});

test("the factor by which a device is slowed is read from its profile", () => {
  expect(throttleOf({ simulated: "slowed 4 times" })).toBe(4);
  expect(throttleOf({ simulated: null })).toBeNull();
});

test("a run that goes on tells its past in the times of the corrected profile", () => {
  const figures = { macs: 10, params: 5, bytes: 20, predictedMs: 2, accuracy: 0.9 };
  const state = {
    format: 1,
    key: "old",
    phase: "done",
    augment: "none",
    dense: { ...figures, predictedMs: 4 },
    filters: { t: 2, rho0: 0.1, failures: 2 },
    layers: { removed: 0, rejectsInRow: 0, essential: [] },
    accepted: [{ step: 0, figures, graph: "step-000", kept: {} }],
    tries: [{ of: 0, graph: "final-1", figures, within: true }],
    ledger: [],
    ends: { filters: "the target is reached" },
  } as unknown as PruneState;
  const next = continuedState(state, "new", 1.5);
  expect(next).toMatchObject({ key: "new", phase: "filters", tries: [], ends: {} });
  expect(next.filters).toEqual({ t: 2, rho0: 0.1, failures: 0 });
  expect(next.dense.predictedMs).toBe(6);
  expect(next.accepted[0]!.figures).toEqual({ ...figures, predictedMs: 3 });
});

describe("the picture of a sweep", () => {
  const step = (graph: string, kind: SweptStep["kind"], ms: number, accuracy: number | null, chosen = false) => ({
    ...{ graph, kind, ms, accuracy, chosen },
    macs: 1,
  });
  const steps = [
    step("step-000", "dense", 4, 0.9),
    step("step-001", "step", 3, 0.88),
    step("step-002", "step", 2, 0.85),
    step("final-1", "final", 2, 0.895, true),
  ];
  const device = { device: 'a <"phone">', metric: "accuracy", budgetMs: 2.5, maxDropPoints: 1, steps };

  test("has a point for each network, one of them marked, and a panel for each device", () => {
    const svg = sweepSvg([device, { ...device, device: "other" }]);
    expect(svg.match(/<title>/g)).toHaveLength(8);
    expect(svg.match(/class="chosen"/g)).toHaveLength(2);
    expect(svg).toContain("a &lt;&quot;phone&quot;&gt;");
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).not.toMatch(/NaN|Infinity|<script|href/);
  });

  test("a faster network is further left, a more accurate one higher", () => {
    const at = [...sweepSvg([device]).matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4" fill="[^"]+"><title>/g)].map(
      (m) => [Number(m[1]), Number(m[2])] as const,
    );
    expect(at[1]![0]).toBeLessThan(at[0]![0]);
    expect(at[2]![0]).toBeLessThan(at[1]![0]);
    expect(at[1]![1]).toBeGreaterThan(at[0]![1]);
    expect(at[3]![0]).toBe(at[2]![0]);
    expect(at[3]![1]).toBeLessThan(at[2]![1]);
  });

  test("one network, or none with an accuracy, is drawn, too", () => {
    expect(sweepSvg([{ ...device, budgetMs: null, maxDropPoints: null, steps: [steps[0]!] }])).not.toMatch(/NaN/);
    expect(sweepSvg([{ ...device, steps: [step("step-000", "dense", 4, null)] }])).toContain("nothing was accepted");
  });
});
