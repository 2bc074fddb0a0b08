import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planMemory } from "../../src/kernels/memory.js";
import { channelBlocks, panelWidths, planRows, rowsCycles, rowTiles, tileNames } from "../../src/kernels/tiles.js";
import { packPanels, panelsBytes, segmentRows } from "../../src/kernels/weights.js";

describe("tiles", () => {
  test("rows are covered once, by tiles that differ by at most one row", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 6 }), (m, mr) => {
        const tiles = rowTiles(m, mr);
        expect(tiles.reduce((n, [rows, count]) => n + rows * count, 0)).toBe(m);
        const sizes = tiles.map(([rows]) => rows);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(mr);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test.each([
    [
      7,
      4,
      [
        [4, 1],
        [3, 1],
      ],
    ],
    [9, 4, [[3, 3]]],
    [
      14,
      4,
      [
        [4, 2],
        [3, 2],
      ],
    ],
    [1, 4, [[1, 1]]],
  ])("%i pixels by %i", (m, mr, expected) => {
    expect(rowTiles(m, mr)).toEqual(expected);
  });

  test("channels are covered by multiples of 4", () => {
    expect(panelWidths(53, 12)).toEqual([12, 12, 12, 12, 8]);
    expect(panelWidths(3, 8)).toEqual([4]);
  });

  test("planned rows cover every pixel once, with tiles whose registers suffice", () => {
    for (const [variant, most] of [
      ["simd", 8],
      ["relaxed", 9],
    ] as const) {
      for (let m = 1; m < 60; m++) {
        for (let n = 1; n < 80; n++) {
          const plan = planRows(m, n, variant);
          expect(plan.reduce((sum, { rows, count }) => sum + rows * count, 0)).toBe(m);
          // More spill: strict ones from 9 on V8 11, which needs a register for the product, fused ones from 10.
          for (const { rows, nr } of plan) expect((rows * nr) / 4).toBeLessThanOrEqual(most);
        }
      }
    }
  });

  test.each([
    ["relaxed", 7, 960, "4x8 3x12"],
    ["simd", 14, 384, "2x16 2x16 2x16 2x16 2x16 2x16 2x16"],
    ["relaxed", 196, 64, `${"4x8 ".repeat(49)}`.trim()],
    ["simd", 1, 1000, "1x24"],
  ] as const)("%s: %i pixels of %i channels", (variant, m, n, expected) => {
    const plan = planRows(m, n, variant);
    const tiles = plan.flatMap(({ rows, count, nr }) => new Array<string>(count).fill(`${rows}x${nr}`));
    expect(tiles.join(" ")).toBe(expected);
  });

  test("functions that are written already are preferred to new ones as good, and never cost cycles", () => {
    const functions = (plan: ReturnType<typeof planRows>): string[] => plan.flatMap((tile) => tileNames(tile, 64));
    const rows = functions(planRows(5, 64, "relaxed"));
    const alone = functions(planRows(125, 64, "relaxed"));
    const shared = planRows(125, 64, "relaxed", new Set(rows));
    expect(alone.some((name) => !rows.includes(name))).toBe(true);
    expect(functions(shared).every((name) => rows.includes(name))).toBe(true);
    expect(rowsCycles(shared, 64, "relaxed")).toBeLessThanOrEqual(
      rowsCycles(planRows(125, 64, "relaxed"), 64, "relaxed"),
    );
  });

  test("blocks of channels are equal, whole panels, and fit the cache unless the narrowest does not", () => {
    const widths = (
      [
        [49, 1280, 320],
        [7, 960, 160],
        [49, 160, 960],
        [784, 32, 16],
        [784, 53, 8000],
      ] as const
    ).map(([m, n, k]) => n / channelBlocks(m, n, k, "relaxed"));
    expect(widths).toEqual([16, 48, 16, 32, 53]);
  });
});

describe("weights", () => {
  test("panels hold the bias, then a row of four outputs for each term, zero beyond the last output", () => {
    // k = 2, n = 5
    const w = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    const packed = packPanels(w, 5, Float32Array.of(-1, -2, -3, -4, -5), [0, 1]);
    expect([...packed]).toEqual([-1, -2, -3, -4, 1, 2, 3, 4, 6, 7, 8, 9, -5, 0, 0, 0, 5, 0, 0, 0, 10, 0, 0, 0]);
    expect(packed.byteLength).toBe(panelsBytes(5, 2));
  });

  test("the padding between channels meets zero weights", () => {
    expect([...segmentRows(2, 3, 4)]).toEqual([0, 1, 2, -1, 3, 4, 5, -1]);
    const packed = packPanels(Float32Array.of(7, 8), 1, null, [0, -1, 1]);
    expect([...packed]).toEqual([0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0]);
  });
});

describe("memory planning", () => {
  const request = fc.record({
    bytes: fc.integer({ min: 0, max: 400 }),
    first: fc.integer({ min: -1, max: 20 }),
    length: fc.integer({ min: 0, max: 8 }),
  });

  test("buffers alive together are apart, all are aligned and inside", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 25 }), (list) => {
        const requests = list.map(({ bytes, first, length }, i) => ({
          name: `t${i}`,
          bytes,
          first,
          last: first + length,
        }));
        const { buffers, bytes } = planMemory(requests);
        for (const a of buffers) {
          expect(a.offset % 16).toBe(0);
          expect(a.offset + a.bytes).toBeLessThanOrEqual(bytes);
          for (const b of buffers) {
            if (a === b || a.last < b.first || b.last < a.first || a.bytes === 0 || b.bytes === 0) continue;
            expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
          }
        }
        const sum = requests.reduce((n, r) => n + Math.ceil(r.bytes / 16) * 16, 0);
        expect(bytes).toBeLessThanOrEqual(sum);
      }),
    );
  });

  test("buffers that never meet share their place", () => {
    const { buffers, bytes } = planMemory([
      { name: "a", bytes: 100, first: 0, last: 1 },
      { name: "b", bytes: 100, first: 1, last: 2 },
      { name: "c", bytes: 100, first: 2, last: 3 },
    ]);
    expect(bytes).toBe(224);
    expect(buffers[2]!.offset).toBe(buffers[0]!.offset);
  });
});

test("assembly/kernels/tiles.ts is what its generator writes", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const check = spawnSync(process.execPath, ["scripts/generate-tiles.mjs", "--check"], { cwd: root, encoding: "utf8" });
  expect(check.stderr).toBe("");
  expect(check.status).toBe(0);
});
