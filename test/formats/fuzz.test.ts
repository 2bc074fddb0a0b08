import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FORMATS, mutant, type FuzzFormat } from "../../bench/fuzz/mutate.mjs";
import { readModel } from "../../src/formats/index.js";
import { IdapError } from "../../src/model/errors.js";
import { fuzzSeeds } from "../support/fuzz-seeds.js";
import { sharedData } from "../support/shared-data.js";

/** Of each format; `bench/fuzz/run.mjs` tries 10,000, each in a process that is watched. */
const COUNT = 250;

/** Processor time for one file. */
const SECONDS = 5;

const seeds = fuzzSeeds(sharedData("models") ?? "");

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "idap-fuzz-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** "graph" or the code of the one clear error; anything else is thrown on. */
async function outcomeOf(format: FuzzFormat, number: number): Promise<string> {
  const { files, main, description } = mutant(format, seeds[format], number);
  const place = path.join(folder, `${format}-${number}`);
  await mkdir(place);
  for (const [name, bytes] of files) await writeFile(path.join(place, name), bytes);
  const begin = process.cpuUsage();
  try {
    await readModel(path.join(place, main));
    return "graph";
  } catch (error) {
    if (!(error instanceof IdapError)) throw new Error(`${format}:${number} (${description})`, { cause: error });
    expect(error.message.length, description).toBeGreaterThan(10);
    expect(error.message, description).not.toMatch(/\n\s+at /);
    return error.code;
  } finally {
    const { user, system } = process.cpuUsage(begin);
    expect((user + system) / 1e6, description).toBeLessThan(SECONDS);
    await rm(place, { recursive: true });
  }
}

describe("damaged files end in a graph or in one clear error", () => {
  test.each(FORMATS)("%s, 250 of them", { timeout: 120_000 }, async (format) => {
    const outcomes = new Map<string, number>();
    for (let number = 0; number < COUNT; number++) {
      const outcome = await outcomeOf(format, number);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    // Damage must be noticed often and must sometimes hit nothing but a weight: else this attacks nothing.
    expect(outcomes.get("E_FORMAT")).toBeGreaterThan(COUNT / 5);
    expect(outcomes.get("graph")).toBeGreaterThan(COUNT / 20);
  });

  test.each(FORMATS)("the undamaged models of %s are read", async (format) => {
    for (const { name, main, files } of seeds[format]) {
      const place = path.join(folder, `${format}-whole`);
      await mkdir(place);
      for (const [file, bytes] of files) await writeFile(path.join(place, file), bytes);
      const failure = await readModel(path.join(place, main)).then(
        () => null,
        (error: unknown) => error,
      );
      // The shared folder holds models with operators that no reader takes; those are told by name.
      if (failure) expect(failure, name).toMatchObject({ code: "E_UNSUPPORTED" });
      await rm(place, { recursive: true });
    }
  });

  test("the same number gives the same damage", () => {
    for (const format of FORMATS) {
      const [a, b, c] = [5, 5, 6].map((n) => mutant(format, seeds[format], n));
      expect(a).toEqual(b);
      expect(a).not.toEqual(c);
    }
  });
});
