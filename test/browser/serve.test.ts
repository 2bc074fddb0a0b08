import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { emit } from "../../src/emit/index.js";
import {
  measureServed,
  type DeviceResult,
  type Measurement,
  type ServeEvent,
  type ServeOptions,
} from "../../src/measure/index.js";
import { CHROMIUM_FLAGS, describeWithChromium } from "../support/browser.js";
import { smallNetwork } from "../support/small-network.js";
import { writeTinyPackage } from "../support/tiny-package.js";
import { checkScreen, SIZES } from "./page-checks.js";

describeWithChromium("the served page in Chromium", (executablePath) => {
  let root: string;
  let dir: string;
  let browser: Browser;
  const at = (folder: string): string => path.join(root, folder);
  const LONG = `a-network-with-a-name-that-no-phone-can-show-in-one-line-${"x".repeat(80)}`;

  beforeAll(async () => {
    root = mkdtempSync(path.join(os.tmpdir(), "idap-served-"));
    dir = at("small");
    await emit(smallNetwork(), { out: dir });
    await writeTinyPackage(at("tiny"), 2000);
    await writeTinyPackage(at(LONG), 1000);
    await writeTinyPackage(at("failing"), 1, { selftest: 0 });
    browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** Serves, and opens pages as devices would. What a page complains about is kept. */
  async function serve(groups: string[][], options: ServeOptions = {}) {
    const events: ServeEvent[] = [];
    const complaints: string[] = [];
    let listening!: (url: string) => void;
    const opened = new Promise<string>((resolve) => (listening = resolve));
    const results = measureServed(groups, {
      runs: 40,
      warmupMs: 200,
      timeoutMs: 90_000,
      ...options,
      onListening: (urls) => listening(urls[0]!),
      onEvent: (event) => events.push(event),
    });
    results.catch(() => {}); // looked at by the test
    const url = await opened;
    const device = async (kind: keyof typeof SIZES, colorScheme: "light" | "dark" = "light"): Promise<Page> => {
      const mobile = kind === "phone" ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {};
      const context = await browser.newContext({ viewport: SIZES[kind], colorScheme, ...mobile });
      const page = await context.newPage();
      page.on("pageerror", (e) => complaints.push(e.message));
      page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
      await page.goto(url);
      await page.waitForSelector("#start:enabled");
      return page;
    };
    return { url, events, complaints, results, device };
  }

  const done = (page: Page): Promise<unknown> => page.waitForSelector('body[data-state="done"]', { timeout: 60_000 });
  const shown = (page: Page, term: string): Promise<string> =>
    page.locator(`dt:text-is("${term}") + dd`).first().innerText();
  const ms = (value: number): string =>
    value < 0.1 ? `${(1000 * value).toPrecision(3)} µs` : `${value.toPrecision(3)} ms`;

  function check(m: Measurement): void {
    expect(m.steady.p50).toBeGreaterThan(0);
    expect(m.steady.p99).toBeGreaterThanOrEqual(m.steady.p90);
    expect(m.steady.p90).toBeGreaterThanOrEqual(m.steady.p50);
    expect(m.steady.samples).toBe(40);
    // A sample is to last fifty steps of the clock; an engine that optimises only after the warm-up may halve that.
    expect(m.steady.batch * m.steady.p50).toBeGreaterThan(20 * m.engine.clockStepMs);
    expect(m.download!.bytes).toBeGreaterThan(100);
    expect(m.load.compileMs).toBeGreaterThan(0);
    expect(m.firstRunMs).toBeGreaterThanOrEqual(0);
    expect(m.engine.agent).toMatch(/Chrome/);
  }

  test("a phone by keyboard and a desktop by mouse, at once: each gets its own figures, on screens that fit", async () => {
    const { device, results, complaints, events } = await serve([[dir]], { devices: 2, variant: "simd" });
    const [phone, desktop] = [await device("phone"), await device("desktop")];
    await checkScreen(phone, "phone-ready");
    await checkScreen(desktop, "desktop-ready");

    await phone.keyboard.press("Tab");
    expect(await phone.evaluate(() => document.activeElement?.id)).toBe("start");
    const outline = await phone.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    expect(outline, "the focus can be seen").toBe("solid");
    await phone.keyboard.press("Enter");
    await desktop.click("#start");
    await Promise.all([done(phone), done(desktop)]);

    await checkScreen(phone, "phone-result");
    await checkScreen(desktop, "desktop-result");
    const list = [...(await results)].sort((a, b) => a.device - b.device);
    expect(list.map((r) => r.device)).toEqual([1, 2]);
    const own = (r: DeviceResult): Measurement => r.groups[0]![0]!;
    list.map(own).forEach(check);
    expect(list.map((r) => own(r).outputs)).toEqual(["identical", "identical"]);
    const medians = list.map((r) => ms(own(r).steady.p50));
    const onScreens = [await shown(phone, "One run takes"), await shown(desktop, "One run takes")];
    expect([...onScreens].sort()).toEqual([...medians].sort());
    expect(await shown(phone, "Outputs")).toBe("the same bits");
    expect(await phone.locator("svg[role=img]").getAttribute("aria-label")).toContain("small: ");
    expect(events.filter((e) => e.kind === "joined").length).toBe(2);
    expect(complaints).toEqual([]);
  });

  test("several groups, a long name, dark colours, the last minute: still fits, and the ratio is there", async () => {
    const { device, results, complaints } = await serve([[at("tiny"), at(LONG)], [dir]], {
      minMs: 400,
      minuteMs: 200,
    });
    const phone = await device("phone", "dark");
    await checkScreen(phone, "phone-dark-ready");
    await phone.click("#start");
    await done(phone);
    await checkScreen(phone, "phone-dark-result");
    const [result] = await results;
    expect(result!.groups.map((g) => g.map((m) => m.package))).toEqual([["tiny", LONG], ["small"]]);
    // Half the work: a chain of dependent operations takes what it takes. A third for copies and the clock.
    const { speedup, minutes, timeline } = result!.groups[0]![1]!;
    expect(speedup!.median).toBeGreaterThan(1.3);
    expect(speedup!.median).toBeLessThan(2.7);
    expect(minutes!.first.p50).toBeGreaterThan(0);
    expect(minutes!.last.p50).toBeGreaterThan(0);
    expect(timeline.length).toBeGreaterThan(1);
    expect(await phone.locator("svg .over-time").count()).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  });

  test("while it works it says so, and a device that goes away is lost without harm to another", async () => {
    const { device, results, events } = await serve([[at("tiny")]], { lostMs: 3000, minMs: 2500 });
    const gone = await device("desktop");
    await gone.click("#start");
    await gone.waitForSelector("#work:not([hidden])");
    await gone.waitForSelector('#status:text("Timing")');
    await checkScreen(gone, "desktop-working");
    expect(Number(await gone.locator("#bar").getAttribute("value"))).toBeLessThanOrEqual(1);
    while (!events.some((e) => e.kind === "progress")) await new Promise((resolve) => setTimeout(resolve, 20));
    await gone.context().close();
    const phone = await device("phone");
    await phone.click("#start");
    await done(phone);
    expect((await results).map((r) => r.device)).toEqual([2]);
  });

  test("a package that does not run here is told on the page, and in words that can be read", async () => {
    const ended = new AbortController();
    const { device, results, events } = await serve([[at("failing")]], { signal: ended.signal });
    const phone = await device("phone");
    await phone.click("#start");
    await phone.waitForSelector('body[data-state="failed"]');
    await checkScreen(phone, "phone-failed");
    expect(await phone.locator("#error").innerText()).toMatch(/no variant of simd.*self-test/);
    expect(await phone.evaluate(() => document.activeElement?.id)).toBe("start");
    while (!events.some((e) => e.kind === "failed")) await new Promise((resolve) => setTimeout(resolve, 20));
    ended.abort();
    await expect(results).rejects.toMatchObject({
      code: "E_MEASURE",
      message: expect.stringMatching(/device 1 .*could not run the packages/),
    });
    // The computer is gone now; the page says that, too.
    await phone.click("#start");
    await phone.waitForSelector('#error:text("does not answer")');
  });

  test("weights that are not there are an error on the page, not a hang", async () => {
    const { device, events, results } = await serve([[cut(at("cut"))]]);
    const phone = await device("phone");
    rmSync(path.join(at("cut"), "weights.bin"));
    await phone.click("#start");
    await phone.waitForSelector('body[data-state="failed"]');
    expect(events.some((e) => e.kind === "finished")).toBe(false);
    writeFileSync(path.join(at("cut"), "weights.bin"), Buffer.from(Float32Array.of(0.5, 0, 0, 0).buffer));
    await phone.click("#start");
    await done(phone);
    expect((await results).length).toBe(1);
  });

  /** A copy of the tiny package to spoil. */
  function cut(folder: string): string {
    cpSync(at("tiny"), folder, { recursive: true });
    return folder;
  }
});
