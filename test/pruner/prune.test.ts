import { describe, expect, test } from "vitest";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { graphToJson } from "../../src/model/serialize.js";
import { folderStore, memoryStore, type RunStore } from "../../src/pruner/checkpoint.js";
import type { FilterEntry, FinalEntry, LayerEntry } from "../../src/pruner/ledger.js";
import { describeEntry } from "../../src/pruner/ledger.js";
import type { PruneResult } from "../../src/pruner/prune.js";
import { data, denseNetwork, engine, run } from "./tiny.js";

/** Graph with the hash of its weights: equal text means equal bytes. */
const bytesOf = (r: PruneResult): string => graphToJson(r.graph);

describe("a whole run on a small network", () => {
  test("stays inside the accuracy limit, saves work, and the ledger says what happened", async () => {
    const result = await run();
    expect(result.reason).toBeNull();
    expect(result.accepted).toBe(true);
    expect(result.dense.accuracy!).toBeGreaterThan(0.9);
    expect(result.dense.accuracy! - result.pruned.accuracy!).toBeLessThanOrEqual(0.05 + 1e-9);
    expect(result.pruned.macs).toBeLessThan(0.9 * result.dense.macs);
    // What is emitted has the accuracy that was accepted: folding batch norms changes nothing but roundings.
    const { accuracy } = await engine.evaluate(result.graph, data.validation);
    expect(Math.abs(accuracy - result.pruned.accuracy!)).toBeLessThanOrEqual(1 / data.validation.count + 1e-9);
    expect(result.graph.nodes.some((n) => n.op === "batch_norm")).toBe(false);

    result.ledger.forEach((e, i) => {
      expect(e.step).toBe(i + 1);
      expect(e.reason).not.toBe("");
      expect(describeEntry(e)).toContain(e.accepted ? "accepted" : "rejected");
      expect(e.after.macs).toBeLessThanOrEqual(e.before.macs);
    });
    const filters = result.ledger.filter((e): e is FilterEntry => e.stage === "filters");
    const layers = result.ledger.filter((e): e is LayerEntry => e.stage === "layers");
    const finals = result.ledger.filter((e): e is FinalEntry => e.stage === "final");
    expect(filters.length).toBeGreaterThan(0);
    expect(layers.length).toBeGreaterThan(0);
    expect(finals.at(-1).accepted).toBe(true);
    for (const { cuts } of filters)
      for (const c of cuts) {
        expect(c.width[0] - c.width[1]).toBe(c.channels.length);
        expect(c.scores).toHaveLength(c.channels.length);
        expect(c.ranks).toHaveLength(c.channels.length);
        expect(c.width[1] % 4).toBe(0);
      }
    // What the removals of a step saved adds up to what the step saved.
    for (const e of [...filters, ...layers]) {
      const parts = e.stage === "filters" ? e.cuts.map((c) => c.saved) : [e.saved];
      for (const key of ["macs", "params", "bytes"] as const)
        expect(parts.reduce((s, p) => s + p[key], 0)).toBe(e.before[key] - e.after[key]);
      const ms = parts.reduce((s, p) => s + p.predictedMs, 0);
      expect(ms).toBeCloseTo(e.before.predictedMs - e.after.predictedMs, 12);
      for (const p of parts) expect(p.macs).toBeGreaterThan(0);
    }
    // Accepted steps follow each other without a gap; a rejected one leaves the figures where they were.
    let now = result.dense.macs;
    for (const e of [...layers, ...filters]) {
      expect(e.before.macs).toBe(now);
      if (e.accepted) now = e.after.macs;
    }
  });

  test("two runs with one seed cut the same channels and end at the same bytes; another seed does not", async () => {
    const [a, b, c] = [await run(), await run(), await run({ seed: 2 })];
    const sets = (r: PruneResult): unknown => r.ledger.map((e) => (e.stage === "filters" ? e.cuts : e.reason));
    expect(sets(a)).toEqual(sets(b));
    expect(bytesOf(a)).toBe(bytesOf(b));
    expect(bytesOf(a)).not.toBe(bytesOf(c));
  });

  test("a MAC target ends stage 1 as soon as it is reached", async () => {
    const result = await run({ target: { macs: 0.85 }, maxDrop: 50, iterations: 6, maxRemovals: 0 });
    expect(result.state.ends.filters).toContain("85 %");
    const filters = result.ledger.filter((e) => e.stage === "filters");
    expect(filters.at(-1).before.macs).toBeGreaterThan(0.85 * result.dense.macs);
    expect(filters.at(-1).after.macs).toBeLessThanOrEqual(0.85 * result.dense.macs);
  });

  test("at the pace of its target a run comes to it in the given number of iterations, in equal factors", async () => {
    for (const iterations of [1, 2, 3]) {
      const result = await run({
        ...{ target: { macs: 0.5 }, pace: "target", iterations, maxShareStep: 1 },
        // Steps of one channel: of four, one may go beyond the next iteration's share.
        ...{ oneShot: true, maxDrop: 100, maxRemovals: 0, channelMultiple: 1, costUnit: "macs" },
      });
      const filters = result.ledger.filter((e): e is FilterEntry => e.stage === "filters");
      expect(filters).toHaveLength(iterations);
      filters.forEach((e, i) => {
        const goal = e.before.macs * (0.5 / (e.before.macs / result.dense.macs)) ** (1 / (iterations - i));
        expect(e.after.macs).toBeLessThanOrEqual(goal * (1 + 1e-9));
      });
      expect(result.pruned.macs).toBeLessThanOrEqual(0.5 * result.dense.macs);
    }
  });

  test("one-shot: no gradients, and still inside the limit or refused", async () => {
    const result = await run({ oneShot: true, maxDrop: 10 });
    if (result.accepted) expect(result.dense.accuracy! - result.pruned.accuracy!).toBeLessThanOrEqual(0.1 + 1e-9);
    else expect(result.reason).not.toBe("");
  });

  test("without labels fidelity to the dense network is the metric", async () => {
    const blind = { ...data, train: { ...data.train, labels: null }, validation: { ...data.validation, labels: null } };
    const { prune } = await import("../../src/pruner/prune.js");
    const { quick } = await import("./tiny.js");
    const result = await prune(
      await denseNetwork(),
      { ...blind },
      { ...quick, maxDrop: 10 },
      { engine, store: memoryStore() },
    );
    expect(result.metric).toBe("agreement");
    expect(result.dense.accuracy).toBe(1);
  });
});

describe("roll-back", () => {
  test("an iteration that breaks the budget is undone, the share is halved, and two of them end stage 1", async () => {
    // No gradients and no allowance: cutting a quarter of the channels of this network costs accuracy.
    const result = await run({ oneShot: true, maxDrop: 0, rho0: 0.5 });
    const failed = result.ledger.filter((e) => e.stage === "filters");
    expect(failed.map((e) => e.accepted)).toEqual([false, false]);
    expect((failed[1] as FilterEntry).rho).toBeLessThan((failed[0] as FilterEntry).rho);
    expect(failed[1]!.before).toEqual(failed[0]!.before);
    expect(result.state.filters).toMatchObject({ failures: 2, rho0: 0.125 });
    expect(result.state.ends.filters).toContain("broke the budget");
  });

  test("nothing removable inside the limit: refused, with the dense network as the best found", async () => {
    const result = await run({ oneShot: true, maxDrop: 0, rho0: 0.5 });
    expect(result.accepted).toBe(false);
    expect(result.reason).toContain("nothing could be removed");
    expect(bytesOf(result)).toBe(graphToJson(await denseNetwork()));
  });
});

describe("the final check", () => {
  test("outside the limit it steps back to a bigger accepted network", async () => {
    // Stage 1 may go far beyond the limit, and the final fine-tuning has no gradients to make up for it.
    const result = await run({
      oneShot: true,
      maxDrop: 2,
      filterShare: 20,
      rho0: 0.25,
      iterations: 3,
      finalAttempts: 5,
    });
    const { tries, accepted } = result.state;
    expect(accepted.length).toBeGreaterThan(2);
    expect(tries.length).toBeGreaterThan(1);
    expect(tries[0]!.of).toBe(accepted.at(-1)!.step);
    expect(tries[0]!.within).toBe(false);
    for (let i = 1; i < tries.length; i++) expect(tries[i]!.of).toBeLessThan(tries[i - 1]!.of);
    if (result.accepted) expect(tries.at(-1)!.within).toBe(true);
    else expect(result.reason).toMatch(/below the dense one|saved/);
  });
});

describe("checkpoints", () => {
  /** A store that dies, as a killed process would, before the n-th write of a state. */
  function mortal(inner: RunStore, n: number): RunStore {
    let left = n;
    return {
      ...inner,
      save(state) {
        if (left-- === 0) throw new Error("killed");
        return inner.save(state);
      },
    };
  }

  test("a run killed at any step and resumed ends at the bytes of an uninterrupted one", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "idap-run-"));
    try {
      const whole = await run({}, await folderStore(path.join(folder, "whole"), { resume: false }));
      const steps = whole.ledger.length;
      for (const n of [0, 1, 2, steps]) {
        const dir = path.join(folder, `killed-${n}`);
        await expect(run({}, mortal(await folderStore(dir, { resume: false }), n))).rejects.toThrow("killed");
        const resumed = await run({}, await folderStore(dir, { resume: true }));
        expect(bytesOf(resumed)).toBe(bytesOf(whole));
        expect(resumed.ledger).toEqual(whole.ledger);
      }
      expect((await readdir(path.join(folder, "whole"))).filter((f) => f.includes("tmp"))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("a finished run resumes to its result without another step", async () => {
    const store = memoryStore();
    const first = await run({}, store);
    const entries: unknown[] = [];
    const again = await run({}, store, { onEntry: (e) => entries.push(e) });
    expect(entries).toEqual([]);
    expect(bytesOf(again)).toBe(bytesOf(first));
  });

  test("other options are refused, with what to do", async () => {
    const store = memoryStore();
    await run({ iterations: 0, maxRemovals: 0, finalAttempts: 1 }, store);
    await expect(run({ iterations: 0, maxRemovals: 0, finalAttempts: 1, maxDrop: 7 }, store)).rejects.toMatchObject({
      code: "E_RESUME",
      hint: expect.stringContaining("--resume"),
    });
  });

  test("a folder with foreign files is not emptied", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "idap-run-"));
    try {
      await writeFile(path.join(folder, "thesis.txt"), "all of it");
      await expect(folderStore(folder, { resume: false })).rejects.toMatchObject({ code: "E_RUN_FOLDER" });
      expect(await readdir(folder)).toEqual(["thesis.txt"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
