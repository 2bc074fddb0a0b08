/**
 * When Winograd's method pays: predicted cycles of a 3x3 convolution at stride 1 or 2, both ways.
 *
 * Constants are fitted to 40 layers of 4 to 256 channels and 1 to 56 pixels, both variants, Node 20 and 24: the predicted
 * share is within 8 % of the measured one, but for images of one or two tiles, where it is too large. How many times as fast
 * as the direct kernel (Zen 4, busy machine, three layers in a row with the copies in and out, alternating runs, medians of
 * the ratios of neighbours, three rounds of 60; "relaxed" on Node 20 behind its flag):
 *
 *                        16x16x32-32   32x32x16-16   8x8x64-64   56x56x64-64
 *   Node 20, strict      3.2 to 3.6    2.7           3.4         3.2 to 4.0
 *   Node 20, relaxed     3.1 to 3.2    2.4 to 2.6    3.2         3.2 to 3.3
 *   Node 24, strict      3.0 to 3.1    2.5 to 2.6    2.8 to 3.1  2.8 to 3.5
 *   Node 24, relaxed     3.1 to 3.2    2.5 to 2.7    3.1 to 3.3  3.0 to 3.2
 *
 * Smaller ones: 16x16 pixels of 8 channels 1.9, of 4 channels 1.4 to 1.7; 9x9 of 8 1.2 to 1.4, 5x5 of 12 1.0; 1x1 of 64
 * 0.15 to 0.3, 1x32 of 32 0.8.
 *
 * At stride 2 (Node 20, strict, extents of the output, copies included, 250 alternating runs beside other work):
 * 8x8x32-64 1.27, 16x16x16-32 1.17, 32x32x16-32 1.17, 56x56x16-32 1.13.
 */
import { planRows, rowsCycles, rowTiles, type Variant } from "./tiles.js";
import { chunksOf, SCHEMES, transformedBytes, winogradRoundings } from "./winograd.js";

/** Extent of the output, and channels. */
export interface Conv3x3 {
  readonly stride: 1 | 2;
  readonly height: number;
  readonly width: number;
  readonly ci: number;
  readonly co: number;
}

const ceil4 = (n: number): number => Math.ceil(n / 4) * 4;

/** m pixels by n channels, sums of k terms. */
function product(m: number, k: number, n: number, variant: Variant): number {
  const plan = planRows(m, n, variant);
  const calls = plan.reduce((sum, { count, nr }) => sum + count * Math.ceil(n / nr), 0);
  return k * rowsCycles(plan, n, variant) + calls * CALL;
}

/** Cycles around the sums of a tile of registers: the bias, the stores, the call. */
const CALL = 12;
/** Cycles of the transforms of a tile, for each 4 channels, by stride. */
const INPUT_CYCLES = { 1: 65, 2: 150 };
const OUTPUT_CYCLES = { 1: 55, 2: 150 };
/** Bytes of transformed weights that come from beyond the second cache in a cycle: all of them, for every chunk. */
const STREAM = 12;

export function directCycles({ height, width, ci, co }: Conv3x3, variant: Variant): number {
  // Images of one to three channels are read as they are, what layers write is padded.
  return height * product(width, 9 * (ci < 4 ? ci : ceil4(ci)), co, variant);
}

export function winogradCycles({ stride, height, width, ci, co }: Conv3x3, variant: Variant): number {
  const [c, n] = [ceil4(ci), ceil4(co)];
  const scheme = SCHEMES[stride];
  const { columns, rows, chunkRows } = chunksOf(scheme, height, width, c, n);
  let cycles = rows * columns * ((c / 4) * INPUT_CYCLES[stride] + (n / 4) * OUTPUT_CYCLES[stride]);
  for (const [tileRows, count] of rowTiles(rows, chunkRows)) {
    const sums = scheme.products * product(tileRows * columns, c, n, variant);
    cycles += count * Math.max(sums, transformedBytes(scheme, c, n) / STREAM);
  }
  return cycles;
}

/**
 * Most that a layer may be off in theory, relative to the largest value that its absolute weights and inputs could add up
 * to; reached at 1026 input channels. (A direct sum of as many may be off by 1.1e-3.)
 */
const LARGEST_BOUND = 0.01;

/**
 * Most bytes of transformed weights at stride 2, where they are nine times the file's and save a quarter of the time at
 * best: 64 to 128 channels, 2.7 MB, 0.92 of the direct kernel's time, 128 to 256, 10.7 MB, 1.5 times it.
 */
const HALVING_BYTES = 1 << 20;

/** Share of the direct kernel's predicted time below which the method is taken: the prediction is off by less. */
const WORTH = 0.9;

/** Shares by shape: the pruner predicts the same layers again and again. */
const known = new Map<string, number>();

/** Predicted time of the layer by Winograd's method as a share of the direct kernel's; 1 where it is not taken. */
export function winogradShare(shape: Conv3x3, variant: Variant): number {
  if (winogradRoundings(SCHEMES[shape.stride], shape.ci) * 2 ** -24 > LARGEST_BOUND) return 1;
  if (shape.stride === 2 && transformedBytes(SCHEMES[2], ceil4(shape.ci), shape.co) > HALVING_BYTES) return 1;
  const key = [shape.stride, shape.height, shape.width, shape.ci, shape.co, variant].join();
  let share = known.get(key);
  if (share === undefined) {
    share = winogradCycles(shape, variant) / directCycles(shape, variant);
    known.set(key, share);
  }
  return share < WORTH ? share : 1;
}
