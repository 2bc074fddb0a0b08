/** Strict modules give the same bits in every engine that is here, and every engine's figures arrive in one form. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emit } from "../../src/emit/index.js";
import { readModel } from "../../src/formats/index.js";
import {
  measureIn,
  measureServed,
  type Measurement,
  type Runtime,
  type RuntimeOptions,
} from "../../src/measure/index.js";
import { chromiumExecutable } from "../../src/measure/chromium.js";
import { shellExecutable } from "../../src/measure/jsc.js";
import { findWasmtime } from "../../src/measure/wasmtime.js";
import { findChromium, findFirefox } from "../support/browser.js";
import { randomNetwork } from "../support/networks.js";
import { requireAll, sharedData } from "../support/shared-data.js";
import { smallNetwork } from "../support/small-network.js";
import { writeTinyPackage } from "../support/tiny-package.js";

const quick = { runs: 30, warmup: 2, warmupMs: 20 };

let root: string;
const at = (name: string): string => path.join(root, name);
/** Packages whose outputs are compared: two drawn networks and a real one where the data is there. */
const dirs: string[] = [];

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), "idap-engines-"));
  // Strict alone: no engine takes another one.
  const variants = ["simd"] as const;
  await emit(smallNetwork(), { out: at("small"), variants });
  await emit(randomNetwork(7), { out: at("random"), variants });
  dirs.push(at("small"), at("random"));
  const model = sharedData("models/mlperf-tiny/pretrainedResnet.tflite");
  if (model !== null) {
    await emit(await readModel(model), { out: at("resnet8"), variants });
    dirs.push(at("resnet8"));
  }
  // For boards: without SIMD, the weights inside.
  await emit(smallNetwork(), { out: at("board"), variants: ["scalar"], singleFile: true });
  await writeTinyPackage(at("slow"), 40_000);
  await writeTinyPackage(at("fast"), 10_000);
  await writeTinyPackage(at("failing"), 1, { selftest: 0 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** An engine's executable in the environment; what is not named is looked for, as the command does. */
const NAMED: Partial<Record<Runtime, string | undefined>> = {
  jsc: process.env.IDAP_JSC,
  wasmtime: process.env.IDAP_WASMTIME,
  chromium: findChromium() ?? undefined,
};
const optionsFor = (runtime: Runtime) => (NAMED[runtime] === undefined ? {} : { executable: NAMED[runtime] });

/** Throws where the engine is not here. */
async function find(runtime: Runtime): Promise<void> {
  switch (runtime) {
    case "node":
      return;
    case "chromium":
      chromiumExecutable(NAMED.chromium);
      return;
    case "jsc":
      shellExecutable(NAMED.jsc);
      return;
    case "wasmtime":
      await findWasmtime(NAMED.wasmtime);
  }
}

/** An engine that is not here is left out with a printed reason; CI has all of them. */
async function present(runtime: Runtime): Promise<boolean> {
  try {
    await find(runtime);
    return true;
  } catch (e) {
    if (requireAll) return true;
    console.warn(`left out "${runtime}": ${(e as Error).message}`);
    return false;
  }
}

const engines: Runtime[] = [];
for (const runtime of ["node", "chromium", "jsc", "wasmtime"] as const) {
  if (await present(runtime)) engines.push(runtime);
}

/** One group of packages, timed in one engine. */
async function time(runtime: Runtime, group: readonly string[], options: RuntimeOptions = {}): Promise<Measurement[]> {
  return (await measureIn(runtime, [group], { ...quick, ...optionsFor(runtime), ...options }))[0]!;
}

function plausible(m: Measurement): void {
  expect(m.engine.version).not.toBe("");
  expect(m.engine.cores).toBeGreaterThan(0);
  expect(m.engine.clockStepMs).toBeGreaterThan(0);
  expect(m.steady.p50).toBeGreaterThan(0);
  expect(m.steady.p99).toBeGreaterThanOrEqual(m.steady.p50);
  expect(m.steady.samples).toBe(quick.runs);
  expect(m.memoryBytes % 65536).toBe(0);
}

describe.each(engines)("in %s", (runtime) => {
  test("the strict variant gives the bits of the build", async () => {
    const groups = await measureIn(
      runtime,
      dirs.map((dir) => [dir]),
      { ...quick, variant: "simd", ...optionsFor(runtime) },
    );
    expect(groups.flat().map((m) => [m.package, m.variant, m.outputs])).toEqual(
      groups.flat().map((m) => [m.package, "simd", "identical"]),
    );
    expect(groups.length).toBe(dirs.length);
    groups.flat().forEach(plausible);
  });

  test("so does a module without SIMD that has its weights inside", async () => {
    const [m] = await time(runtime, [at("board")]);
    expect([m!.variant, m!.outputs]).toEqual(["scalar", "identical"]);
  });

  test("other bits than the stored ones are noticed", async () => {
    cpSync(at("small"), at(`spoilt-${runtime}`), { recursive: true });
    const file = path.join(at(`spoilt-${runtime}`), "weights.bin");
    const weights = readFileSync(file);
    weights[2]! ^= 1; // one bit of the fraction of the first weight
    writeFileSync(file, weights);
    const [m] = await time(runtime, [at(`spoilt-${runtime}`)], { variant: "simd" });
    expect(m!.outputs).toBe("different");
  });

  test("four times the work takes four times as long, in turns", async () => {
    const [slow, fast] = await time(runtime, [at("slow"), at("fast")], { warmupMs: 200 });
    // A chain of dependent operations: its time is the work, in every engine. A tenth for the copies and the clock.
    expect(fast!.speedup!.median).toBeGreaterThan(3.6);
    expect(fast!.speedup!.median).toBeLessThan(4.4);
    expect(slow!.engine.runtime).toBe(runtime);
  });

  test("the first and the last minute are told apart", async () => {
    const [m] = await time(runtime, [at("small")], { minMs: 600, minuteMs: 200 });
    expect(m!.minutes!.first.samples).toBeGreaterThan(0);
    expect(m!.minutes!.last.p50).toBeGreaterThan(0);
    expect(m!.timeline.length).toBeGreaterThan(1);
    expect(m!.timeline.length).toBeLessThanOrEqual(60);
  });

  test("a module that fails its self-test is one clear sentence", async () => {
    await expect(time(runtime, [at("failing")])).rejects.toMatchObject({
      code: "E_MEASURE",
      message: expect.stringMatching(/self-test/),
    });
  });

  test("an executable that is not there, or is something else, is one clear sentence", async () => {
    for (const executable of [at("nothing"), "/bin/true"]) {
      await expect(time(runtime, [at("fast")], { executable })).rejects.toMatchObject({
        code: "E_MEASURE",
      });
    }
  });
});

const describeChromium = engines.includes("chromium") ? describe : (): void => {};
describeChromium("a throttled Chromium", () => {
  test("is slower, and says that it is simulated", async () => {
    // The browser stops the page for moments of its choice: a sample must hold several of them.
    const long = { sampleMs: 10 };
    const [plain] = await time("chromium", [at("slow")], long);
    const [slowed] = await time("chromium", [at("slow")], { ...long, throttle: 6 });
    expect(slowed!.engine.throttle).toBe(6);
    // Six times, but for what a busy machine does to the plain one.
    expect(slowed!.steady.p50 / plain!.steady.p50).toBeGreaterThan(2);
  });
});

const firefox = findFirefox();
const noFirefox = "no firefox-esr or firefox on PATH (set IDAP_FIREFOX to one)";
if (firefox === null && !requireAll) console.warn(`left out "Firefox": ${noFirefox}`);
if (firefox === null && requireAll) {
  test("Firefox", () => {
    throw new Error(noFirefox);
  });
}
const describeFirefox = firefox === null ? (): void => {} : describe;
describeFirefox("Firefox, SpiderMonkey, opened on the served page", () => {
  test("gives the bits of the build", async () => {
    const home = at("firefox");
    const profile = path.join(home, "profile");
    mkdirSync(profile, { recursive: true });
    // No first-run pages, no telemetry: nothing but the page is fetched.
    const quiet = [
      ["browser.shell.checkDefaultBrowser", false],
      ["browser.aboutwelcome.enabled", false],
      ["datareporting.policy.dataSubmissionEnabled", false],
      ["toolkit.telemetry.reportingpolicy.firstRun", false],
      ["app.update.enabled", false],
      ["app.normandy.enabled", false],
      ["network.captive-portal-service.enabled", false],
      ["network.connectivity-service.enabled", false],
      ["services.settings.server", "data:,"],
    ];
    const prefs = quiet.map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    writeFileSync(path.join(profile, "user.js"), prefs.join("\n"));
    let stop = (): Promise<void> => Promise.resolve();
    const results = await measureServed(
      [...dirs, at("board")].map((dir) => [dir]),
      {
        ...quick,
        timeoutMs: 50_000,
        onListening: ([url]) => {
          const args = ["--headless", "--no-remote", "--profile", profile, `${url!}#start`];
          const child = spawn(firefox!, args, {
            stdio: "ignore",
            detached: true,
            env: { ...process.env, HOME: home },
          });
          const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
          stop = () => {
            // The group: its content processes, too.
            if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL");
            return ended;
          };
        },
      },
    ).finally(() => stop());
    const [result] = results;
    expect(result!.engine.version).toMatch(/^Firefox \d/);
    expect(result!.groups.flat().map((m) => [m.variant, m.outputs])).toEqual([
      ...dirs.map(() => ["simd", "identical"]),
      ["scalar", "identical"],
    ]);
    result!.groups.flat().forEach(plausible);
  });
});
