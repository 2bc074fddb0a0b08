/**
 * Static memory planning: buffers with lifetimes become offsets in one arena.
 *
 * Two buffers may overlap only when their lifetimes do not. First fit, tried in order of first use and in order of size
 * (largest first); the smaller arena wins. Both are deterministic.
 */
export interface BufferRequest {
  readonly name: string;
  readonly bytes: number;
  /** Index of the step that writes it first; -1: before the run. */
  readonly first: number;
  /** Index of the step that reads it last; Infinity: after the run. */
  readonly last: number;
}

export interface PlacedBuffer extends BufferRequest {
  /** Bytes from the start of the arena, a multiple of 16. */
  readonly offset: number;
}

export const ALIGNMENT = 16;

export const alignUp = (n: number, to: number = ALIGNMENT): number => Math.ceil(n / to) * to;

function firstFit(requests: readonly BufferRequest[]): PlacedBuffer[] {
  const placed: PlacedBuffer[] = [];
  for (const request of requests) {
    const rivals = placed
      .filter((p) => p.first <= request.last && request.first <= p.last)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (rival.offset - offset >= request.bytes) break;
      offset = Math.max(offset, alignUp(rival.offset + rival.bytes));
    }
    placed.push({ ...request, offset });
  }
  return placed;
}

const extent = (buffers: readonly PlacedBuffer[]): number =>
  buffers.reduce((top, b) => Math.max(top, alignUp(b.offset + b.bytes)), 0);

/** Buffers in the order of the requests, and the size of the arena. */
export function planMemory(requests: readonly BufferRequest[]): { buffers: PlacedBuffer[]; bytes: number } {
  const indexed = requests.map((r, i) => ({ ...r, i }));
  const byUse = [...indexed].sort((a, b) => a.first - b.first || b.bytes - a.bytes || a.i - b.i);
  const bySize = [...indexed].sort((a, b) => b.bytes - a.bytes || a.first - b.first || a.i - b.i);
  const plans = [firstFit(byUse), firstFit(bySize)];
  const best = extent(plans[1]!) < extent(plans[0]!) ? plans[1]! : plans[0]!;
  const byName = new Map(best.map((b) => [b.name, b]));
  const buffers = requests.map((r) => ({ ...r, offset: byName.get(r.name)!.offset }));
  return { buffers, bytes: extent(best) };
}
