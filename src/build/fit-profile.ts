/**
 * From timed networks to the time of each piece of work: least squares of the relative errors, pulled towards what the
 * pieces cost on the machine that the kernels were written on, since no grid of shapes tells all of them apart.
 *
 *   minimise  sum over networks ((f_i . c - y_i) / (e y_i))^2 + sum over pieces ((c_j - p_j) / (s_j p_j))^2,  c >= 0
 *
 * f_ij: how often network i runs piece j; y_i: its measured ns; p_j, s_j: expected ns of a piece and how far off that may
 * be; e: error of a network's time. Large residuals count less (Huber's weights), as one busy moment must not bend the rest.
 */
import { expectedPiece, PIECES } from "../analyzer/pieces.js";
import type { Work } from "../analyzer/work.js";
import type { Variant } from "../kernels/tiles.js";

export interface TimedWork {
  readonly work: Work;
  readonly ns: number;
}

/** Error of a network's time, as a share, that the fit does not try to explain. */
const NETWORK_ERROR = 0.03;

const dot = (work: Work, ns: Readonly<Record<string, number>>): number =>
  Object.entries(work).reduce((s, [name, n]) => s + n * (ns[name] ?? 0), 0);

/** Nanoseconds of every piece that occurs, and of a cycle (`cycle`), by which pieces that do not occur are scaled. */
export function fitPieces(rows: readonly TimedWork[], variant: Variant): Record<string, number> {
  const names = [...new Set([...PIECES, ...rows.flatMap((r) => Object.keys(r.work))])].sort();
  const expected = names.map((n) => expectedPiece(n, variant));
  const cycles = Object.fromEntries(names.map((n, j) => [n, expected[j]!.cycles]));
  // The device's speed as a whole: the median network at the expected cycles.
  const speeds = rows.map((r) => r.ns / dot(r.work, cycles)).sort((a, b) => a - b);
  const cycle = speeds[speeds.length >> 1]!;
  const prior = expected.map((e) => e.cycles * cycle);
  const ns = [...prior];
  const weights = rows.map(() => 1);
  const matrix = rows.map((r) => names.map((n) => (r.work[n] ?? 0) / (NETWORK_ERROR * r.ns)));
  const residuals = matrix.map((f) => f.reduce((s, v, j) => s + v * ns[j]!, 0) - 1 / NETWORK_ERROR);
  for (let round = 0; round < 6; round++) {
    for (let sweep = 0; sweep < 300; sweep++) {
      let moved = 0;
      names.forEach((_, j) => {
        const pull = 1 / (expected[j]!.spread * prior[j]!) ** 2;
        let gradient = pull * (ns[j]! - prior[j]!);
        let curvature = pull;
        matrix.forEach((f, i) => {
          if (f[j] === 0) return;
          gradient += weights[i]! * f[j]! * residuals[i]!;
          curvature += weights[i]! * f[j]! ** 2;
        });
        const next = Math.max(0, ns[j]! - gradient / curvature);
        const step = next - ns[j]!;
        if (step === 0) return;
        matrix.forEach((f, i) => (residuals[i]! += f[j]! * step));
        moved = Math.max(moved, Math.abs(step) / prior[j]!);
        ns[j] = next;
      });
      if (moved < 1e-6) break;
    }
    // Huber: beyond two errors a residual counts linearly.
    residuals.forEach((r, i) => (weights[i] = Math.min(1, 2 / Math.max(1e-9, Math.abs(r)))));
  }
  const round = (v: number): number => Number(v.toPrecision(5));
  return { cycle: round(cycle), ...Object.fromEntries(names.map((n, j) => [n, round(ns[j]!)])) };
}

/** Measured over predicted of each row of `tested`, by a fit to all rows but that one. */
export function leftOut(rows: readonly TimedWork[], tested: readonly number[], variant: Variant): number[] {
  return tested.map((i) => {
    const ns = fitPieces(
      rows.filter((_, k) => k !== i),
      variant,
    );
    return rows[i]!.ns / dot(rows[i]!.work, ns);
  });
}
