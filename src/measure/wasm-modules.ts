/** Two small modules, written byte by byte (core specification, chapter 5; several memories are part of version 3). */

/** Unsigned LEB128. */
export function leb(n: number): number[] {
  const out: number[] = [];
  do {
    const low = n % 128;
    n = Math.floor(n / 128);
    out.push(n > 0 ? low | 128 : low);
  } while (n > 0);
  return out;
}

type Bytes = readonly number[];

const text = (s: string): Bytes => {
  const bytes = [...new TextEncoder().encode(s)];
  return [...leb(bytes.length), ...bytes];
};
const vector = (items: readonly Bytes[]): Bytes => [...leb(items.length), ...items.flat()];
const section = (id: number, body: Bytes): Bytes => [id, ...leb(body.length), ...body];
const limits = (pages: number): Bytes => [1, ...leb(pages), ...leb(pages)];
const HEADER: Bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A module that exports `memory` of exactly `pages` and nothing else. */
export function memoryModule(pages: number): Uint8Array {
  return Uint8Array.from([
    ...HEADER,
    ...section(5, vector([limits(pages)])),
    ...section(7, vector([[...text("memory"), 2, 0]])),
  ]);
}

/**
 * A package's weights, embedded, and the way between its memory (0) and the driver's (1):
 * `put(to, from, bytes)` copies from the driver's memory into the package's, `get` back, `weights(to)` sets the weights.
 */
export function bridgeModule(packageName: string, pages: number, driverPages: number, weights: Uint8Array): Uint8Array {
  const I32 = 0x7f;
  const local = (i: number): Bytes => [0x20, i];
  const body = (...code: Bytes[]): Bytes => {
    const bytes = [0, ...code.flat(), 0x0b];
    return [...leb(bytes.length), ...bytes];
  };
  const copy = (to: number, from: number): Bytes => [0xfc, 10, to, from];
  const init: Bytes = [...local(0), 0x41, 0, 0x41, ...signed(weights.length), 0xfc, 8, 0, 0];
  const head = [
    ...HEADER,
    ...section(
      1,
      vector([
        [0x60, 3, I32, I32, I32, 0],
        [0x60, 1, I32, 0],
      ]),
    ),
    ...section(
      2,
      vector([
        [...text(packageName), ...text("memory"), 2, ...limits(pages)],
        [...text("env"), ...text("memory"), 2, ...limits(driverPages)],
      ]),
    ),
    ...section(3, vector([[0], [0], [1]])),
    ...section(
      7,
      vector([
        [...text("put"), 0, 0],
        [...text("get"), 0, 1],
        [...text("weights"), 0, 2],
      ]),
    ),
    ...section(12, leb(1)),
    ...section(
      10,
      vector([
        body(local(0), local(1), local(2), copy(0, 1)),
        body(local(0), local(1), local(2), copy(1, 0)),
        body(init),
      ]),
    ),
  ];
  // One passive segment; spread would not do for megabytes.
  const segment = [...leb(1), 1, ...leb(weights.length)];
  const size = leb(segment.length + weights.length);
  const out = new Uint8Array(head.length + 1 + size.length + segment.length + weights.length);
  out.set(head);
  out.set([11, ...size, ...segment], head.length);
  out.set(weights, out.length - weights.length);
  return out;
}

/** Signed LEB128 of a number that is not negative, as the operand of `i32.const`. */
function signed(n: number): number[] {
  const out = leb(n);
  if ((out.at(-1) & 0x40) === 0) return out;
  out[out.length - 1]! |= 0x80;
  return [...out, 0];
}
