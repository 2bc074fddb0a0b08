import { expect, test } from "vitest";
import { expectedPiece } from "../../src/analyzer/pieces.js";
import { fitPieces, leftOut, type TimedWork } from "../../src/build/fit-profile.js";
import { calibrationNetworks, wholeWork } from "../../src/build/calibrate.js";
import { Random } from "../../src/model/random.js";

const networks = calibrationNetworks();
const works = networks.map((n) => wholeWork(n, "simd"));

/** A device three times as slow as the one that the kernels were written on, each piece off by its own factor. */
function device(seed: number): { ns: Record<string, number>; rows: TimedWork[] } {
  const random = new Random(seed);
  const names = [...new Set(works.flatMap((w) => Object.keys(w)))].sort();
  const ns = Object.fromEntries(
    names.map((n) => [n, 0.9 * expectedPiece(n, "simd").cycles * (0.85 + 0.3 * random.next())]),
  );
  const rows = works.map((work) => ({
    work,
    ns: Object.entries(work).reduce((s, [n, count]) => s + count * ns[n]!, 0),
  }));
  return { ns, rows };
}

const predicted = (work: Readonly<Record<string, number>>, ns: Readonly<Record<string, number>>): number =>
  Object.entries(work).reduce((s, [n, count]) => s + count * ns[n]!, 0);

test("a device that the model describes is found again: every network within 2 %", () => {
  const { rows } = device(3);
  const ns = fitPieces(rows, "simd");
  for (const { work, ns: measured } of rows) expect(Math.abs(predicted(work, ns) / measured - 1)).toBeLessThan(0.02);
});

test("one busy moment does not bend the rest", () => {
  const { rows } = device(4);
  const plain = fitPieces(rows, "simd");
  const busy = rows.map((r, i) => (i === 10 ? { ...r, ns: 3 * r.ns } : r));
  const fitted = fitPieces(busy, "simd");
  rows.forEach(({ work }, i) => {
    if (i !== 10) expect(Math.abs(predicted(work, fitted) / predicted(work, plain) - 1)).toBeLessThan(0.1);
  });
});

test("no piece takes less than no time, and pieces that no network has are scaled with the device", () => {
  const { rows } = device(5);
  const ns = fitPieces(rows, "simd");
  for (const v of Object.values(ns)) expect(v).toBeGreaterThanOrEqual(0);
  expect(ns["other.mac"]).toBeCloseTo(expectedPiece("other.mac", "simd").cycles * ns["cycle"]!, 3);
});

test("networks that are left out are predicted about as well as those that are not", () => {
  const { rows } = device(6);
  const mixed = networks.flatMap((n, i) => (n.graph.name.startsWith("network: ") ? [i] : []));
  expect(mixed.length).toBeGreaterThan(5);
  for (const ratio of leftOut(rows, mixed, "simd")) expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
});
