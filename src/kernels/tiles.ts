/**
 * Choice of register tiles for a matrix product of m pixels, n channels.
 *
 * Candidates keep accumulators and the loads of one step within the 16 vector registers of x64. Strict SIMD multiplies
 * and adds in two instructions and needs a register for the product: 3 x 12 then spills on V8 11 (35 -> 18 GFLOP/s).
 */
export interface Tile {
  /** Pixels. */
  readonly mr: number;
  /** Channels, a multiple of 4. */
  readonly nr: number;
}

export type Variant = "simd" | "relaxed";

const TILES: Readonly<Record<Variant, readonly Tile[]>> = {
  simd: [
    { mr: 4, nr: 8 },
    { mr: 3, nr: 8 },
    { mr: 2, nr: 12 },
  ],
  relaxed: [
    { mr: 4, nr: 8 },
    { mr: 2, nr: 16 },
    { mr: 3, nr: 12 },
  ],
};
/** One pixel (dense layers, GEMV): as many sums as fit, since each waits for its own last addition. */
const ROW_TILES: readonly Tile[] = [
  { mr: 1, nr: 24 },
  { mr: 1, nr: 16 },
  { mr: 1, nr: 32 },
];

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

/**
 * Cycles of one step of an mr x 4v tile on a core that issues 5.2 instructions and two vector operations a cycle
 * (fitted to Zen 3): multiply-adds, v weight loads, mr splat loads, 6 for the loop.
 */
export function stepCycles(mr: number, v: number, variant: Variant): number {
  const work = mr * v * (variant === "relaxed" ? 1 : 2);
  // Two pipes; a chain of dependent additions takes 4 cycles whatever the tile.
  return Math.max((mr * v) / 2, (work + v + mr + 6) / 5.2, variant === "relaxed" ? 4 : 3);
}

/** The candidate with the fewest predicted cycles; the first of equals. */
export function chooseTile(m: number, n: number, variant: Variant): Tile {
  let best: Tile | null = null;
  let least = Infinity;
  for (const tile of m === 1 ? ROW_TILES : TILES[variant]) {
    let cycles = 0;
    for (const [rows, count] of rowTiles(m, tile.mr)) {
      for (const width of panelWidths(n, tile.nr)) cycles += count * (stepCycles(rows, width / 4, variant) + 0.1);
    }
    if (cycles < least - 1e-9) {
      least = cycles;
      best = tile;
    }
  }
  return best!;
}
