import { describe, expect, test } from "vitest";
import { niceTicks } from "../../src/report/lines.js";
import { shorten } from "../../src/report/bars.js";
import { formatBytes, formatCount, formatMs, renderReport } from "../../src/report/index.js";
import { bareReport, fullReport } from "../support/report-fixture.js";

/** Every tag that is opened is closed, in order; attributes are quoted. Enough to catch a slip in a template. */
function checkMarkup(page: string): void {
  const open: string[] = [];
  const empty = new Set(["meta", "br"]);
  const body = page.replace(/<!doctype html>/, "").replace(/<style>[^<]*<\/style>/, "");
  for (const m of body.matchAll(/<(\/?)([a-z0-9]+)((?:\s+[a-zA-Z-]+="[^"<>]*")*)\s*(\/?)>|</g)) {
    if (m[2] === undefined) throw new Error(`stray "<" at: ${body.slice(m.index, m.index + 60)}`);
    if (m[1]) {
      expect(open.pop(), `closing ${m[0]} near ${body.slice(m.index - 80, m.index)}`).toBe(m[2]);
    } else if (!m[4] && !empty.has(m[2])) {
      open.push(m[2]);
    }
  }
  expect(open).toEqual([]);
}

describe("report", () => {
  test.each([
    ["full", fullReport],
    ["bare", bareReport],
    [
      "all layers gone",
      { ...fullReport, layers: fullReport.layers!.map((l) => ({ ...l, macs: { ...l.macs, pruned: null } })) },
    ],
    ["no steps", { ...fullReport, ledger: [] }],
    ["zero everything", { ...bareReport, macs: { dense: 0, pruned: 0 }, params: { dense: 0, pruned: 0 } }],
  ])("%s: well-formed, no script, nothing to fetch, no NaN", (_name, data) => {
    const page = renderReport(data);
    checkMarkup(page);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|href=|src=|url\(|@import|\son[a-z]+=/i);
    expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(page).toContain("prefers-color-scheme:dark");
  });

  test("all text is escaped, wherever it comes from", () => {
    const evil = `</title><script>alert(1)</script>"'&\u0000\u0007`;
    const attack = <T>(value: T): T => {
      if (typeof value === "string") return `${value}${evil}` as T;
      if (Array.isArray(value)) return value.map(attack) as T;
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, attack(v)])) as T;
    };
    const page = renderReport(attack(fullReport));
    checkMarkup(page);
    expect(page).not.toContain("<script");
    expect(page).not.toMatch(/[\u0000\u0007]/);
    expect(page).toContain("&lt;script&gt;");
  });

  test("says why a build was refused, and what was rolled back", () => {
    const page = renderReport({ ...fullReport, accepted: false, reason: "this layer is memory-bound" });
    expect(page).toContain(">refused<");
    expect(page).toContain("this layer is memory-bound");
    expect(page).toContain("rolled back");
  });

  test("every removal has a row: what, which channels, score, rank, what it saved, accuracy before and after its step", () => {
    const text = renderReport(fullReport)
      .replace(/<[^>]*>/g, "|")
      .replace(/\s*\|[\s|]*/g, "|");
    expect(text).toContain(
      "|1|stage1.unit.conv1 + stage1.unit.conv2|2 of 16 channels: 3, 9|0.0101 – 0.0123|1|210 k|1.2 k|12.3 µs|",
    );
    // The accuracy is the step's, so it stands once: behind the last of its removals. A time may get longer.
    expect(text).toContain("|1|stem|2 of 16 channels: 0, 1|0 – 0.0200|2 – 4|90 k|300|−0.4 µs|96.33 % → 96.20 %|");
    // Before the unit the network was what the last accepted step made of it, not what was rolled back.
    expect(text).toContain(
      "|4|branch stage2.unit|5 nodes: conv1, bn1, relu, conv2, bn2|0.310|1|390 k|4.9 k|210 µs|95.93 % → 95.60 %|",
    );
    expect(renderReport(bareReport)).not.toContain("Removals");
  });

  test("timings stand only where they were given", () => {
    const { latency: _latency, ...untimed } = fullReport;
    const ledger = untimed.ledger.map(({ measuredMs: _a, predictedMs: _b, removals: _c, ...s }) => s);
    const page = renderReport({ ...untimed, ledger });
    expect(page).not.toMatch(/\d (ms|µs)\b/);
    expect(page).not.toContain("Latency");
  });

  test("savings are never rounded up", () => {
    const page = renderReport({ ...bareReport, macs: { dense: 100000, pruned: 60001 } });
    expect(page).toContain("39.9 % of the multiply-accumulates");
  });

  test("equal data give equal bytes", () => {
    expect(renderReport(structuredClone(fullReport))).toBe(renderReport(fullReport));
  });
});

describe("figures", () => {
  test.each([
    [0, "0"],
    [999, "999"],
    [1234, "1.23 k"],
    [12345678, "12.3 M"],
    [999999, "1 M"],
  ])("%d counts as %s", (n, text) => expect(formatCount(n)).toBe(text));

  test.each([
    [512, "512 B"],
    [1999, "2 kB"],
    [245760, "246 kB"],
  ])("%d bytes are %s", (n, text) => expect(formatBytes(n)).toBe(text));

  test("times below a millisecond are in microseconds", () => {
    expect(formatMs(0.1234)).toBe("123 µs");
    expect(formatMs(12.34)).toBe("12.3 ms");
  });

  test("ticks are round, inside, and not too many", () => {
    for (const [low, high] of [
      [0.8123, 0.9342],
      [0, 1],
      [0.95, 0.951],
      [-3, 12],
    ] as const) {
      const ticks = niceTicks(low, high, 5);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThanOrEqual(6);
      for (const t of ticks) expect(t >= low - 1e-9 && t <= high + 1e-9).toBe(true);
    }
    expect(niceTicks(1, 1, 5)).toEqual([1]);
  });

  test("long names keep both ends", () => {
    expect(shorten("block1/conv2d/BiasAdd/ReadVariableOp", 15)).toHaveLength(15);
    expect(shorten("short", 15)).toBe("short");
  });
});
