import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderProfile } from "../../src/cli/render-profile.js";
import { emit } from "../../src/emit/index.js";
import { profilePackage, type Profile } from "../../src/measure/index.js";
import { Random } from "../../src/model/random.js";
import { Net } from "../support/networks.js";

const folder = mkdtempSync(path.join(tmpdir(), "idap-profile-"));
const out = path.join(folder, "net");
const quick = { runs: 40, warmupMs: 200, variant: "simd" as const };

/** Convolutions of a third of a millisecond in all, which a busy machine seldom interrupts, a residual in place, a pool without arithmetic, one layer of nanoseconds. */
beforeAll(async () => {
  const net = new Net(new Random(1), "net");
  const x = net.relu(net.conv(net.input([16, 16, 8]), 24, 5));
  const y = net.relu(net.add(net.conv(net.relu(net.conv(x, 24, 5)), 24, 5), x));
  const pooled = net.op("max_pool2d", [net.depthwise(y)], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
  net.builder.output(net.op("sigmoid", [net.dense(net.globalMean(pooled), 3)]), "y");
  await emit(net.builder.build(), { out, variants: ["simd"] });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("profilePackage", () => {
  let profile: Profile;
  beforeAll(async () => {
    profile = await profilePackage(out, quick);
  });

  test("lists every layer of the plan with its cost", () => {
    const { plan } = JSON.parse(readFileSync(path.join(out, "passport.json"), "utf8")) as {
      plan: { layers: { name: string; macs: number }[] };
    };
    expect(profile.layers.map(({ name, macs }) => ({ name, macs }))).toEqual(
      plan.layers.map(({ name, macs }) => ({ name, macs })),
    );
    const conv = profile.layers.find((l) => l.name.startsWith("conv2d"))!;
    expect(conv.macs).toBe(16 * 16 * 24 * 8 * 25);
    // The image once, panels of 4 outputs with bias, the result.
    expect(conv.bytes).toEqual({ read: 4 * (16 * 16 * 8 + 24 * (8 * 25 + 1)), written: 4 * 16 * 16 * 24 });
    expect(conv.gflops).toBeCloseTo((2 * conv.macs) / conv.ms / 1e6, 6);
    expect(conv.ofCeiling).toBeCloseTo(conv.gflops! / profile.ceiling.gflops, 6);
    expect(conv.bound).toBe("compute");
    const pool = profile.layers.find((l) => l.kernel === "pool")!;
    expect(pool).toMatchObject({ gflops: null, ofCeiling: null, bound: "memory" });
  });

  test("the layers add up to the run, and no layer is faster than the machine", () => {
    const { total, layers } = profile;
    expect(total.sumOfLayersMs).toBeGreaterThan(total.runMs / 3);
    expect(total.sumOfLayersMs).toBeLessThan(total.runMs * 3);
    expect(total.overFloor).toBeGreaterThan(0.8);
    for (const l of layers) {
      expect(l.ms).toBeGreaterThan(0);
      // A fifth for what disturbs the medians of either.
      if (l.macs > 1e6) expect(l.ofCeiling).toBeLessThan(1.2);
    }
    expect(layers.at(-1)!.repeats).toBeGreaterThan(1);
    expect(layers.find((l) => l.macs > 1e6)!.repeats).toBe(1);
  });

  test("the ceiling is one that a CPU can have", () => {
    // Between one lane a nanosecond and 128 bits of two multiply-adds a cycle at 8 GHz.
    expect(profile.ceiling.gflops).toBeGreaterThan(1);
    expect(profile.ceiling.gflops).toBeLessThan(128);
    for (const b of profile.ceiling.bandwidth) expect(Math.min(b.readGBps, b.writeGBps)).toBeGreaterThan(0.1);
  });

  test("the table has one line for each layer and the total", () => {
    const text = renderProfile(profile);
    for (const l of profile.layers) expect(text).toMatch(new RegExp(`^ *${l.index} ${l.name} `, "m"));
    expect(text).toMatch(/MACs at the ceiling take [\d.]+ ms: the run takes [\d.]+ times that/);
  });
});

describe("what cannot be profiled is one clear sentence", () => {
  const copy = (name: string): string => {
    const dir = path.join(folder, name);
    cpSync(out, dir, { recursive: true });
    return dir;
  };

  test("no source", async () => {
    const dir = copy("sourceless");
    rmSync(path.join(dir, "source"), { recursive: true });
    await expect(profilePackage(dir, quick)).rejects.toThrowError(
      expect.objectContaining({
        code: "E_MEASURE",
        message: expect.stringMatching(/source\/model\.simd\.ts is missing/),
      }),
    );
  });

  test("a source that computes something else than the module", async () => {
    const dir = copy("changed");
    const file = path.join(dir, "source/kernels/pool.ts");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("f32x4.max(best", "f32x4.min(best"));
    expect(readFileSync(file, "utf8")).not.toBe(text);
    await expect(profilePackage(dir, quick)).rejects.toThrowError(
      expect.objectContaining({ code: "E_MEASURE", message: expect.stringMatching(/do not give the bits/) }),
    );
  });

  test("a passport without a plan", async () => {
    const dir = copy("planless");
    const file = path.join(dir, "passport.json");
    const { plan: _, ...rest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify(rest));
    await expect(profilePackage(dir, quick)).rejects.toThrowError(
      expect.objectContaining({ code: "E_MEASURE", message: expect.stringMatching(/list the layers/) }),
    );
  });
});
