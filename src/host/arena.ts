/** Static memory: buffers with known lifetimes get addresses so that those alive together do not overlap. */

export interface Lifetime {
  readonly bytes: number;
  /** First and last step in which the buffer is in use. */
  readonly from: number;
  to: number;
  /** Offset in the arena, set by `assignOffsets`. */
  offset: number;
}

/** Buffers start at multiples of a cache line. */
const ALIGN = 64;

/** First fit in order of birth: each buffer takes the lowest gap that is free for its whole life. Returns the size. */
export function assignOffsets(buffers: readonly Lifetime[]): number {
  const order = [...buffers].sort((a, b) => a.from - b.from);
  let live: Lifetime[] = [];
  let top = 0;
  for (const buffer of order) {
    live = live.filter((other) => other.to >= buffer.from);
    live.sort((a, b) => a.offset - b.offset);
    let at = 0;
    for (const other of live) {
      if (other.offset - at >= buffer.bytes) break;
      at = Math.max(at, align(other.offset + other.bytes));
    }
    buffer.offset = at;
    live.push(buffer);
    top = Math.max(top, at + buffer.bytes);
  }
  return align(top);
}

export function align(n: number): number {
  return Math.ceil(n / ALIGN) * ALIGN;
}
