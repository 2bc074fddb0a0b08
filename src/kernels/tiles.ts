/**
 * Choice of register tiles for a matrix product of m pixels, n channels.
 *
 * Candidates keep accumulators and the loads of one step within the 16 vector registers of x64; strict SIMD multiplies and
 * adds in two instructions and needs a register more. Cycles of one step of the sums, K = 160, Zen 4 (the multipliers alone
 * would need pixels * channels / 8), each measured interleaved with the others:
 *
 *                     1x24  2x12  2x16  3x8   3x12  4x8   5x8   6x8
 *   relaxed, V8 13.6   4.1   4.0   4.4   4.0   4.9   4.3   5.3   6.2
 *   relaxed, V8 11.3   4.1   4.0   4.3   4.0   4.8   4.3  12.8  14.0
 *   strict,  V8 13.6   4.3   3.7   4.7   4.0   5.4   4.8   5.8  12.3
 *   strict,  V8 11.3   4.7   3.9   4.8   3.9  11.8   4.8  13.2  13.3
 *
 * Figures of 9 and more are spills: 5x8 and 6x8 would gain 2 and 5 % on the newest V8 and lose a factor of 2 to 3 on
 * others, which the glue cannot tell apart, so they are left out; so is 1x32 (4.9, but 13.6 on V8 11.3).
 *
 * Without SIMD every accumulator of a vector is four registers. Times over that of strict 4x8, 3x3 windows at 32 x 32, 16 to 16
 * channels, interleaved, lower quartiles of 350, V8 11.3: 2x4 4.2, 1x4 5.6, 1x8 5.9, 4x4 5.9, 2x8 6.4, 1x16 7.6; plain loops
 * of scalars 18.
 */
export type Variant = "simd" | "relaxed" | "scalar";

/** Variants that round every operation by itself, in the same order: their bits are the same everywhere, and each other's. */
export const isStrict = (variant: Variant): boolean => variant !== "relaxed";

/** Tiles of one height: `count` times `rows` pixels, `nr` channels (a multiple of 4) at a time. */
export interface TileRows {
  readonly rows: number;
  readonly count: number;
  readonly nr: number;
}

/** Widths of tiles by their height, in pixels. */
const WIDTHS: Readonly<Record<Variant, readonly (readonly [rows: number, widths: readonly number[]])[]>> = {
  simd: [
    [4, [8]],
    [3, [8]],
    [2, [16, 12]],
    [1, [24, 16]],
  ],
  relaxed: [
    [4, [8]],
    [3, [12, 8]],
    [2, [16, 12]],
    [1, [24, 16]],
  ],
  scalar: [
    [2, [4]],
    [1, [4]],
  ],
};

/** Widths of the panels groups that cover n channels. */
export function panelWidths(n: number, nr: number): number[] {
  const widths: number[] = [];
  for (let left = Math.ceil(n / 4) * 4; left > 0; left -= nr) widths.push(Math.min(nr, left));
  return widths;
}

/** Row counts of balanced tiles: 7 pixels with mr 4 are 4 + 3, 9 are 3 + 3 + 3. [rows, how many tiles] */
export function rowTiles(m: number, mr: number): [number, number][] {
  const count = Math.ceil(m / mr);
  const base = Math.floor(m / count);
  const larger = m - base * count;
  const tiles: [number, number][] = [];
  if (larger > 0) tiles.push([base + 1, larger]);
  if (count > larger) tiles.push([base, count - larger]);
  return tiles;
}

/** Cycles of one step of an mr x 4v tile, fitted to the table above: multiply-adds, loads, 6 instructions for the loop. */
export function stepCycles(mr: number, v: number, variant: Variant): number {
  if (variant === "scalar") return 4 * mr * v + 0.5 * (4 * v + mr + 6);
  const work = mr * v * (variant === "relaxed" ? 1 : 2);
  // Two multipliers; a chain of dependent additions takes as long as an addition, whatever the tile.
  return Math.max((mr * v) / 2 + 0.35, (work + v + mr + 6) / 5.85, variant === "relaxed" ? 4 : 3.3);
}

/** Cycles around the sums of a tile, for each step of the sums: bias, stores, the call, at the usual K. */
const CALL = 0.1;
/** Share of the cycles that each further function must be worth: heights, and narrower tiles for the last channels. */
const FUNCTION = 0.03;

function heightCycles(rows: number, n: number, nr: number, variant: Variant): number {
  return panelWidths(n, nr).reduce((sum, width) => sum + stepCycles(rows, width / 4, variant) + CALL, 0);
}

/** Predicted cycles of one step of all sums of n channels. */
export function rowsCycles(plan: readonly TileRows[], n: number, variant: Variant): number {
  return plan.reduce((sum, { rows, count, nr }) => sum + count * heightCycles(rows, n, nr, variant), 0);
}

/** The functions of a height: pixels x channels. */
export function tileNames({ rows, nr }: Pick<TileRows, "rows" | "nr">, n: number): string[] {
  return [...new Set(panelWidths(n, nr))].map((width) => `${rows}x${width}`);
}

const NONE: ReadonlySet<string> = new Set();

/** Plans that were made: a pruner asks for those of the same few layers for hundreds of networks that differ in one. */
const planned = new Map<string, readonly TileRows[]>();
const MOST_PLANNED = 4096;

/**
 * Tiles that cover m pixels and n channels in the fewest predicted cycles, the highest first: 7 pixels are 4x8 and 3x12.
 * Every height has the width that suits it, since panels of 4 channels serve all widths.
 * @param written functions that the module has already, of the same sums: they add no code
 */
export function planRows(m: number, n: number, variant: Variant, written = NONE): readonly TileRows[] {
  const key = `${m} ${n} ${variant} ${[...written].sort().join(" ")}`;
  const known = planned.get(key);
  if (known) return known;
  if (planned.size >= MOST_PLANNED) planned.clear();
  const plan = bestRows(m, n, variant, written);
  planned.set(key, plan);
  return plan;
}

function bestRows(m: number, n: number, variant: Variant, written: ReadonlySet<string>): readonly TileRows[] {
  const heights = WIDTHS[variant].map(([rows, widths]) =>
    widths.map((nr) => ({
      ...{ rows, nr, cycles: heightCycles(rows, n, nr, variant) },
      functions: tileNames({ rows, nr }, n).filter((name) => !written.has(name)).length,
    })),
  );
  let best: readonly TileRows[] = [];
  let least = Infinity;
  // One height does nearly all; up to 3 of each other, as little code as can be, fill what is left.
  for (const base of heights.flat()) {
    const others = heights
      .filter(([h]) => h!.rows !== base.rows)
      .map((same) => same.reduce((a, h) => ((h.functions - a.functions || h.cycles - a.cycles) < 0 ? h : a)));
    for (let code = 0; code < 4 ** others.length; code++) {
      const counts = others.map((_, i) => Math.floor(code / 4 ** i) % 4);
      const left = m - others.reduce((sum, h, i) => sum + h.rows * counts[i]!, 0);
      if (left < 0 || left % base.rows !== 0) continue;
      const of = [{ ...base, count: left / base.rows }, ...others.map((h, i) => ({ ...h, count: counts[i]! }))]
        .filter((h) => h.count > 0)
        .sort((a, h) => h.rows - a.rows);
      const functions = of.reduce((sum, h) => sum + h.functions, 0);
      const cycles = of.reduce((sum, h) => sum + h.count * h.cycles, 0) * (1 + FUNCTION * functions);
      if (cycles < least - 1e-9) {
        least = cycles;
        best = of.map(({ rows, count, nr }) => ({ rows, count, nr }));
      }
    }
  }
  return best;
}

/** Weights that stay in the second cache may be read again for every few pixels. */
const UNBLOCKED_BYTES = 1 << 18;
/** Weights of a block beyond that. */
const BLOCK_BYTES = 1 << 15;
/** Narrowest block: each one reads all pixels again, and stores so few channels of each. */
const BLOCK_CHANNELS = 16;

/**
 * Into how many equal blocks n channels are cut, so that one block's weights stay in the first cache while all pixels go by;
 * 1: pixels in the outer loop, each of which then reads all weights again. MobileNetV2 at 7 x 7 pixels, 320 to 1280
 * channels: 1.43 ms without blocks, 1.07 in blocks of 16; 960 to 320: 0.86, 0.77, in blocks of 8 again 0.86 (Node 24, relaxed,
 * Zen 4). At 14 x 14 pixels blocks gained 2 to 3 %, which the threshold gives away.
 * @param m pixels of a row @param k terms of a sum
 */
export function channelBlocks(m: number, n: number, k: number, variant: Variant): number {
  if (4 * n * k <= UNBLOCKED_BYTES) return 1;
  let best = 1;
  let least = Infinity;
  for (let width = BLOCK_CHANNELS; width <= n; width += 4) {
    if (n % width !== 0 || (least < Infinity && 4 * width * k > BLOCK_BYTES)) continue;
    const cycles = (n / width) * rowsCycles(planRows(m, width, variant), width, variant);
    // Of equals the widest: it stores longer runs.
    if (cycles <= least + 1e-9) {
      least = cycles;
      best = n / width;
    }
  }
  return best;
}
