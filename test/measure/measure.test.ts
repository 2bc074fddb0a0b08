import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  brotliSizes,
  MEASUREMENTS_FILE,
  measurePackages,
  writeMeasurements,
  type Measurement,
} from "../../src/measure/index.js";
import { writeTinyPackage } from "../support/tiny-package.js";

let root: string;
const at = (name: string): string => path.join(root, name);
const quick = { runs: 60, warmup: 5, warmupMs: 50 };

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "idap-measure-"));
  await writeTinyPackage(at("slow"), 200_000);
  await writeTinyPackage(at("fast"), 50_000);
  await writeTinyPackage(at("instant"), 1);
  await writeTinyPackage(at("failing"), 1, { selftest: 0 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("measurePackages", () => {
  test("four times the work takes four times as long, interleaved", async () => {
    const [slow, fast] = await measurePackages([at("slow"), at("fast")], quick);
    // A chain of dependent operations: its time is the work, on every machine. 10 % for the copies and the clock.
    expect(fast!.speedup!.median).toBeGreaterThan(3.6);
    expect(fast!.speedup!.median).toBeLessThan(4.4);
    expect(fast!.speedup!.low).toBeLessThanOrEqual(fast!.speedup!.median);
    expect(fast!.speedup!.high).toBeGreaterThanOrEqual(fast!.speedup!.median);
    expect(slow!.speedup).toBeNull();
    expect(slow!.steady.samples).toBe(60);
    expect(slow!.memoryBytes).toBe(65536);
    expect(slow!.variant).toBe("simd");
    expect(slow!.engine).toMatchObject({ runtime: "node", version: process.versions.node, v8: process.versions.v8 });
    for (const ms of [slow!.load.compileMs, slow!.load.instantiateMs, slow!.firstRunMs]) expect(ms).toBeGreaterThan(0);
  });

  test("a run far below the clock's resolution is timed in batches", async () => {
    const [instant] = await measurePackages([at("instant")], quick);
    expect(instant!.steady.batch).toBeGreaterThan(10);
    expect(instant!.steady.p50).toBeLessThan(0.01);
    expect(instant!.steady.p50).toBeGreaterThan(0);
  });

  test("minMs keeps sampling", async () => {
    const [instant] = await measurePackages([at("instant")], { ...quick, runs: 1, minMs: 40 });
    expect(instant!.steady.samples).toBeGreaterThan(1);
  });

  test.each([
    ["a missing folder", "nowhere", {}, "E_NO_PACKAGE", /nowhere.*does not exist/],
    ["a folder that is no package", ".", {}, "E_NO_PACKAGE", /no package\.json/],
    ["a variant that is not there", "fast", { variant: "relaxed" as const }, "E_MEASURE", /fast.*relaxed/],
    ["a module that fails its self-test", "failing", {}, "E_MEASURE", /failing.*self-test/],
    ["no runs", "fast", { runs: 0 }, "E_OPTION", /above 0, got 0/],
    ["a Node that is none", "fast", { nodePath: "/nonexistent/node" }, "E_MEASURE", /nonexistent/],
    ["flags that this Node refuses", "fast", { nodeFlags: ["--no-such-flag"] }, "E_MEASURE", /without an answer/],
  ])("%s is one clear sentence", async (_name, dir, options, code, message) => {
    await expect(measurePackages([at(dir)], { ...quick, ...options })).rejects.toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe("writeMeasurements", () => {
  test("says what, on what and when; carries no path of this machine", async () => {
    const measured = await measurePackages([at("slow"), at("fast")], quick);
    writeMeasurements(at("fast"), measured, new Date(0));
    const text = readFileSync(path.join(at("fast"), MEASUREMENTS_FILE), "utf8");
    expect(text).not.toContain(root);
    const stored = JSON.parse(text) as { measuredAt: string; packages: Measurement[] };
    expect(stored.measuredAt).toBe("1970-01-01T00:00:00.000Z");
    expect(stored.packages.map((p) => p.package)).toEqual(["slow", "fast"]);
    expect(stored.packages[1]!.steady).toEqual(measured[1]!.steady);
    expect(stored.packages[1]!.engine.cpu.length).toBeGreaterThan(0);
  });
});

describe("brotliSizes", () => {
  test("lists what a device loads, raw and packed", () => {
    writeFileSync(path.join(at("fast"), "index.js"), "export const a = 1;\n".repeat(100));
    const sizes = brotliSizes(at("fast"));
    expect(sizes.map((s) => s.file)).toEqual(["index.js", "model.simd.wasm", "weights.bin"]);
    expect(sizes[0]!.bytes).toBe(2000);
    expect(sizes[0]!.brotli).toBeLessThan(100);
  });
});
