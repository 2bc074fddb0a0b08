import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildForDevices, loadDevice, type DevicesResult } from "../../src/build/index.js";
import { predictLatency } from "../../src/analyzer/latency.js";
import { readModel } from "../../src/formats/index.js";
import type { Graph } from "../../src/model/types.js";
import { quickBuild, writeTinyProject } from "./support.js";

const root = mkdtempSync(path.join(os.tmpdir(), "idap-devices-"));
const out = path.join(root, "out");
const generic = loadDevice("node-generic");
/** A device elsewhere, three times as slow, on which only the last layers cost much. */
const phone = path.join(root, "phone.json");
let project: { model: string; data: string };
let source: Graph;
let dense: { generic: number; phone: number };
let built: DevicesResult;

beforeAll(async () => {
  project = await writeTinyProject(root);
  source = await readModel(project.model);
  const ns = Object.fromEntries(Object.entries(generic.ns).map(([k, v]) => [k, 3 * v]));
  writeFileSync(phone, JSON.stringify({ ...generic, name: "phone", engine: "Safari 17", ns }));
  dense = { generic: predictLatency(source, generic).ms, phone: predictLatency(source, loadDevice(phone)).ms };
  const { out: _out, device: _device, ...options } = quickBuild(project, out, { sweep: true, measure: false });
  built = await buildForDevices({ ...options, out, pruning: { ...options.pruning, maxDrop: 30 } }, [
    { device: "node-generic" },
    { device: phone, ms: 0.8 * dense.phone },
  ]);
}, 240_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a build for several devices", () => {
  test("leaves one package for each, in folders of their names, with the time that was asked for", () => {
    expect(built.devices.map((d) => d.name)).toEqual(["node-generic", "phone"]);
    for (const d of built.devices) expect(existsSync(path.join(d.package, "passport.json"))).toBe(true);
    expect(built.devices[1]!.latency).toMatchObject({ device: "phone", onDevice: false, corrected: null });
    expect(built.devices[1]!.latency.budgetMs).toBe(0.8 * dense.phone);
    expect(built.devices[1]!.latency.densePredictedMs).toBeCloseTo(dense.phone, 12);
  });

  test("is accepted where every device's package is, inside the budget by prediction where nothing is measured", () => {
    expect(built.accepted).toBe(true);
    expect(built.devices.map((d) => d.reason)).toEqual([undefined, undefined]);
    const { predictedMs, budgetMs } = built.devices[1]!.latency;
    expect(predictedMs).toBeLessThanOrEqual(budgetMs! * (1 + 1e-9));
    expect(predictedMs).toBeGreaterThan(0.3 * budgetMs!);
  });

  test("starts every device from the same dense network and accuracy", () => {
    const [a, b] = built.devices;
    expect(a!.metric!.dense).toBe(b!.metric!.dense);
    expect(a!.macs.dense).toBe(b!.macs.dense);
  });

  test("draws every accepted network with the chosen one marked", () => {
    const { devices } = JSON.parse(readFileSync(`${out}-sweep.json`, "utf8")) as {
      devices: { device: string; steps: { kind: string; chosen: boolean; graph: string }[]; run: string }[];
    };
    expect(devices.map((d) => d.device)).toEqual(["node-generic", "phone"]);
    for (const d of devices) {
      expect(d.steps[0]).toMatchObject({ kind: "dense", graph: "step-000" });
      expect(d.steps.filter((s) => s.chosen).length).toBe(1);
      // What is drawn is kept.
      for (const s of d.steps) expect(existsSync(path.join(d.run, `${s.graph}.safetensors`))).toBe(true);
    }
    expect(readFileSync(`${out}-sweep.svg`, "utf8").match(/class="chosen"/g)).toHaveLength(2);
  });
});

test("a budget that no network meets is refused with the nearest one and the layers that hold the time", async () => {
  const { out: _out, device: _device, ...options } = quickBuild(project, out);
  const far = path.join(root, "far");
  const { accepted, devices } = await buildForDevices({ ...options, out: far, measure: false }, [
    { device: phone, ms: 0.01 * dense.phone },
  ]);
  expect(accepted).toBe(false);
  expect(devices[0]!.reason).toMatch(/%\)/);
  expect(existsSync(path.join(devices[0]!.package, "weights.bin"))).toBe(true);
}, 120_000);

test("the same device twice, or one that nobody knows, is refused before anything is read", async () => {
  const { out: _out, device: _device, ...options } = quickBuild(project, out);
  const none = { ...options, out: path.join(root, "none") };
  await expect(buildForDevices(none, [{ device: "node-generic" }, { device: "node-generic", ms: 1 }])).rejects.toThrow(
    "named twice",
  );
  await expect(buildForDevices(none, [{ device: "node-generic" }, { device: "nowhere" }])).rejects.toThrow(
    "unknown device",
  );
  expect(existsSync(none.out)).toBe(false);
});
