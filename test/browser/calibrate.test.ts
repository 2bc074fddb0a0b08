import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { predictLatency } from "../../src/analyzer/latency.js";
import { calibrationNetworks } from "../../src/build/calibration-networks.js";
import { loadDevice } from "../../src/build/index.js";
import { CHROMIUM_FLAGS, describeWithChromium } from "../support/browser.js";
import { SIZES } from "./page-checks.js";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

describeWithChromium("idap measure --calibrate --serve", (executablePath) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "idap-calibrate-served-"));
  const file = path.join(folder, "phone.json");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("a phone that opens the printed address becomes a profile that builds can use", async () => {
    const words = ["measure", file, "--calibrate", "--serve", "--quiet", "--json"];
    const command = spawn(process.execPath, [CLI, ...words], { stdio: ["ignore", "ignore", "pipe"] });
    const ended = once(command, "close");
    let told = "";
    const url = new Promise<string>((resolve) => {
      command.stderr.setEncoding("utf8").on("data", (text: string) => {
        told += text;
        const found = /http:\/\/\S+/.exec(told);
        if (found) resolve(found[0]);
      });
    });
    const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
    try {
      const page = await browser.newPage({ viewport: SIZES.phone, isMobile: true, hasTouch: true });
      const first = await Promise.race([url, ended.then(() => null)]);
      expect(first, told).not.toBeNull();
      await page.goto(first!);
      await page.waitForSelector("#start:enabled");
      await page.tap("#start");
      expect(await ended, told).toEqual([0, null]);
    } finally {
      command.kill();
      await browser.close();
    }
    const profile = loadDevice(file);
    expect(profile).toMatchObject({ name: "phone", variant: "relaxed", simulated: null });
    expect(profile.engine).toMatch(/Chromium \d/);
    expect(profile.date).toBe(new Date().toISOString().slice(0, 10));
    // The table is of this device, network by network, and the pieces of work explain most of it.
    const networks = calibrationNetworks();
    const { table } = JSON.parse(readFileSync(file, "utf8")) as {
      table: { name: string; ms: number; predictedMs: number }[];
    };
    expect(table.map((row) => row.name)).toEqual(networks.map((n) => n.graph.name));
    const off = table.map((row) => Math.abs(row.predictedMs / row.ms - 1)).sort((a, b) => a - b);
    expect(off[off.length >> 1]).toBeLessThan(0.2);
    // A build asks it for milliseconds.
    const last = networks.at(-1).graph;
    expect(predictLatency(last, profile).ms).toBeCloseTo(table.at(-1).predictedMs, 3);
  }, 600_000);
});
