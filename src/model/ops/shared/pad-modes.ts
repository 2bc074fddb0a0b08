/** What padding is filled with: a value, or the axis mirrored (without or with its edge), its edge, or the axis again. */
export const PAD_MODES = ["constant", "reflect", "symmetric", "edge", "wrap"] as const;
export type PadMode = (typeof PAD_MODES)[number];

/** Index of an axis of `extent` that index `i` (which may lie outside) repeats. */
export function padSource(mode: Exclude<PadMode, "constant">, extent: number, i: number): number {
  switch (mode) {
    case "edge":
      return Math.min(Math.max(i, 0), extent - 1);
    case "wrap":
      return modulo(i, extent);
    case "symmetric": {
      const p = modulo(i, 2 * extent);
      return p < extent ? p : 2 * extent - 1 - p;
    }
    case "reflect": {
      if (extent === 1) return 0;
      const p = modulo(i, 2 * extent - 2);
      return p < extent ? p : 2 * extent - 2 - p;
    }
  }
}

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}
