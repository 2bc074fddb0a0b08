import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { rampRate } from "../../src/host/schedule.js";
import { graphToJson } from "../../src/model/serialize.js";
import { folderStore, memoryStore, type RunStore } from "../../src/pruner/checkpoint.js";
import { hostEngine } from "../../src/pruner/engine.js";
import { findLearningRate, highestUseful, RANGE } from "../../src/pruner/learning-rate.js";
import { sampled } from "../../src/pruner/splits.js";
import { data, denseNetwork, run } from "./tiny.js";

describe("the rate that is taken from a range test", () => {
  test("is that of the update that led to the least loss before the first rise", () => {
    const rate = (step: number): number => rampRate(RANGE.from, step);
    expect(highestUseful([9, 8, 7, 6, 8, 5, 4])).toBe(rate(2)); // the later fall does not count
    expect(highestUseful([9, 8, 7.999, 8.02, 7.9, 7, 9])).toBe(rate(4)); // within a tenth is no rise
    expect(highestUseful([9, 10.5, 8])).toBe(RANGE.from); // too high from the beginning
    expect(highestUseful([9, 8, 7])).toBe(rate(1)); // never too high, or the numbers overflowed
    expect(highestUseful([])).toBe(RANGE.from);
  });

  const options = {
    seed: 3,
    optimizer: { kind: "adamw", weightDecay: 1e-4 },
    loss: { labels: 1 },
  } as const;

  test("does not depend on the number of threads, and the network is left alone", async () => {
    const dense = await denseNetwork();
    const before = graphToJson(dense);
    const batch = sampled(data.train, 64, 1);
    const found = await Promise.all(
      [1, 2].map((threads) => findLearningRate(hostEngine({ threads }), dense, batch, options)),
    );
    expect(found[0]).toBe(found[1]);
    expect(found[0]).toBeGreaterThanOrEqual(RANGE.from / 2);
    expect(found[0]).toBeLessThanOrEqual(rampRate(RANGE.from, RANGE.steps) / 2);
    expect(graphToJson(dense)).toBe(before);
  });

  test("a network that leaves the numbers of f32 has a rate too; other errors are not swallowed", async () => {
    const engine = hostEngine({ threads: 1 });
    const dense = await denseNetwork();
    const batch = sampled(data.train, 64, 1);
    // Plain gradient descent on losses of 1e30 overflows at once.
    const wild = {
      ...options,
      optimizer: { kind: "sgd", momentum: 0.9, weightDecay: 0 } as const,
      loss: { labels: 1e30 },
    };
    expect(await findLearningRate(engine, dense, batch, wild)).toBe(RANGE.from / 2);
    await expect(
      findLearningRate(engine, dense, batch, {
        ...options,
        bnMomentum: 0.9,
        loss: { labels: 1 },
        trainable: () => false,
      }),
    ).rejects.toMatchObject({ code: "E_TRAINABLE" });
  });
});

describe("a run that finds its rates", () => {
  const auto = { lr: "auto", finalLr: "auto" } as const;

  test("finds each once, and goes on with it when it is resumed", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "idap-rate-"));
    try {
      const whole = await run(auto);
      const { lr, finalLr } = whole.state.rates!;
      expect(lr).toBeGreaterThan(0);
      expect(finalLr).toBeGreaterThan(0);
      const store = await folderStore(folder, { resume: false });
      let saves = 0;
      // Killed behind the third step: the rate of the recovery has been found, that of the fine-tuning not.
      const mortal: RunStore = {
        ...store,
        async save(state) {
          await store.save(state);
          if (++saves === 4) throw new Error("killed");
        },
      };
      await expect(run(auto, mortal)).rejects.toThrow("killed");
      const resumed = await run(auto, await folderStore(folder, { resume: true }));
      expect(graphToJson(resumed.graph)).toBe(graphToJson(whole.graph));
      expect(resumed.state.rates).toEqual({ lr, finalLr });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("rates that are given are taken, and nothing is kept", async () => {
    const given = await run({ lr: 0.004, finalLr: 0.002 }, memoryStore());
    expect(given.state.rates).toBeUndefined();
  });
});
