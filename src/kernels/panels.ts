/** Weights that are computed at run time, brought into the panels that the kernels read (see weights.ts). */
import type { CallContext } from "./define-calls.js";
import { copyStrided, type Strided } from "./strided.js";

type Call = CallContext["call"];

/** to[index] = from[index] over `shape`. */
export function copyWords(call: Call, from: Strided, to: Strided, shape: readonly number[]): void {
  copyStrided((kernel, ...args) => call("copy", kernel, ...args), from, to, shape);
}

/**
 * Rows of outputs into panels of four outputs.
 * @param from strides from term to term of the sums, and from output to output
 * @param to the place of the first row in the first panel
 * @param k terms of one sum: a panel has 1 + k rows
 */
export function toPanels(
  call: Call,
  { address, strides }: Strided,
  to: number,
  [rows, outputs]: readonly [number, number],
  k: number,
): void {
  const [row, output] = strides as [number, number];
  const panel = 16 * (k + 1);
  const full = Math.floor(outputs / 4);
  const move = (first: number, into: number, count: number, width: number): void =>
    copyWords(
      call,
      { address: first, strides: [row, 4 * output, output] },
      { address: into, strides: [16, panel, 4] },
      [rows, count, width],
    );
  if (full > 0) move(address, to, full, 4);
  if (outputs > 4 * full) move(address + 4 * full * output, to + full * panel, 1, outputs - 4 * full);
}
