/** What pieces of work cost before a device says otherwise. */
import { stepCycles, type Variant } from "../kernels/tiles.js";
import { CACHE_KNOTS } from "./work.js";

/** Cycles of a piece on Zen 4, and by what factor (as a share) a device may differ from that after scaling. */
export interface Expected {
  readonly cycles: number;
  readonly spread: number;
}

const KNOWN: Readonly<Record<string, Expected>> = {
  "tile.call": { cycles: 12, spread: 0.7 },
  "tile.vector": { cycles: 2, spread: 1 },
  "tile.residual": { cycles: 1, spread: 1 },
  "tile.segment": { cycles: 4, spread: 1 },
  row: { cycles: 8, spread: 1 },
  layer: { cycles: 30, spread: 1 },
  cold: { cycles: 200, spread: 1 },
  "winograd.input": { cycles: 65, spread: 0.5 },
  "winograd.output": { cycles: 55, spread: 0.5 },
  "winograd.halved.input": { cycles: 150, spread: 0.5 },
  "winograd.halved.output": { cycles: 150, spread: 0.5 },
  "depthwise.call": { cycles: 15, spread: 0.7 },
  "depthwise.vector": { cycles: 2, spread: 1 },
  "depthwise.turn": { cycles: 3, spread: 1 },
  "depthwise.load": { cycles: 0.3, spread: 1 },
  "depthwise.sum": { cycles: 0.5, spread: 0.5 },
  "depthwise.wide": { cycles: 0.6, spread: 0.5 },
  "pool.max": { cycles: 4, spread: 1 },
  "pool.avg": { cycles: 4, spread: 1 },
  "pool.vector": { cycles: 4, spread: 1 },
  unary: { cycles: 1.5, spread: 1 },
  sigmoid: { cycles: 60, spread: 1 },
  binary: { cycles: 2, spread: 1 },
  reduce: { cycles: 1.5, spread: 1 },
  "reduce.strided": { cycles: 12, spread: 1 },
  softmax: { cycles: 20, spread: 1 },
  "softmax.row": { cycles: 200, spread: 1 },
  "move.run": { cycles: 12, spread: 1 },
  "move.float": { cycles: 0.3, spread: 1 },
  "move.single": { cycles: 3, spread: 1 },
  "other.byte": { cycles: 0.3, spread: 2 },
  "other.mac": { cycles: 0.5, spread: 2 },
  run: { cycles: 200, spread: 1 },
  "port.call": { cycles: 80, spread: 1 },
  "port.byte": { cycles: 0.06, spread: 1 },
};

/** Cycles of a byte that comes from beyond a cache: little where the arithmetic hides it. */
const STREAM: Readonly<Record<string, number>> = {
  again: 0.004,
  tensor: 0.01,
  moved: 0.02,
  weight: 0.02,
  transformed: 0.03,
};

export function expectedPiece(name: string, variant: Variant): Expected {
  const known = KNOWN[name];
  if (known) return known;
  const tile = /^tile\.(\d+)x(\d+)$/.exec(name);
  if (tile) return { cycles: stepCycles(Number(tile[1]), Number(tile[2]) / 4, variant), spread: 0.2 };
  const stream = STREAM[name.slice(0, name.indexOf("."))];
  if (stream !== undefined) return { cycles: stream, spread: 2 };
  throw new Error(`internal: nobody knows what ${name} costs`);
}

/** Every piece that any network may have, but for tiles, whose cycles are known by their size. */
export const PIECES: readonly string[] = [
  ...Object.keys(KNOWN),
  ...Object.keys(STREAM).flatMap((name) => CACHE_KNOTS.map((_, i) => `${name}.${i}`)),
];
