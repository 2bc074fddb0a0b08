/**
 * QR codes of short addresses: byte mode, error correction M (15 % of the code may be hidden), versions 1 to 9, which hold
 * 180 bytes. After ISO/IEC 18004; numbers of sections and tables refer to it.
 */
import { IdapError } from "../model/errors.js";

/** Codewords of error correction in a block, and the data codewords of each block, by version (table 9, level M). */
const BLOCKS: readonly (readonly [number, readonly number[]])[] = [
  [10, [16]],
  [16, [28]],
  [26, [44]],
  [18, [32, 32]],
  [24, [43, 43]],
  [16, [27, 27, 27, 27]],
  [18, [31, 31, 31, 31]],
  [22, [38, 38, 39, 39]],
  [22, [36, 36, 36, 37, 37]],
];

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Powers of 2 in GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1 (7.5.2), and their logarithms. */
const EXP = new Uint8Array(255);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = x;
  LOG[x] = i;
  x <<= 1;
  if (x > 255) x ^= 0x11d;
}

const multiply = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : EXP[(LOG[a]! + LOG[b]!) % 255]!);

/** Error correction codewords of `data`: the remainder after division by (x - 2^0) … (x - 2^(count - 1)). */
export function reedSolomon(data: ArrayLike<number>, count: number): Uint8Array {
  // Coefficients of the divisor below its leading one, highest power first.
  let divisor = [1];
  for (let i = 0; i < count; i++) {
    const next = [...divisor, 0];
    divisor.forEach((c, k) => (next[k + 1]! ^= multiply(c, EXP[i]!)));
    divisor = next;
  }
  const rest = new Uint8Array(count);
  for (let i = 0; i < data.length; i++) {
    const lead = data[i]! ^ rest[0]!;
    rest.copyWithin(0, 1);
    rest[count - 1] = 0;
    for (let k = 0; k < count; k++) rest[k]! ^= multiply(divisor[k + 1]!, lead);
  }
  return rest;
}

/** `bits` followed by the remainder of their division by `divisor`, as format and version information have it. */
function withCheck(bits: number, checkBits: number, divisor: number): number {
  let rest = bits << checkBits;
  for (let i = 31 - checkBits; i >= 0; i--) if (rest & (1 << (i + checkBits))) rest ^= divisor << i;
  return (bits << checkBits) | rest;
}

/** Format information of level M with a mask (7.9): BCH (15, 5), masked so that it is never zero. */
export const formatBits = (mask: number): number => withCheck(mask, 10, 0x537) ^ 0x5412;
/** Version information, from version 7 on (7.10): BCH (18, 6). */
export const versionBits = (version: number): number => withCheck(version, 12, 0x1f25);

/** Data codewords (7.4): mode, length, bytes, terminator, padding; then blocks and their correction, interleaved (7.6). */
function codewords(bytes: Uint8Array, version: number): Uint8Array {
  const [correction, blocks] = BLOCKS[version - 1]!;
  const data = new Uint8Array(sum(blocks));
  // Mode 0100 and 8 bits of length shift the bytes by half a codeword.
  data[0] = 0x40 | (bytes.length >> 4);
  data[1] = (bytes.length << 4) & 0xff;
  bytes.forEach((b, i) => {
    data[i + 1]! |= b >> 4;
    data[i + 2] = (b << 4) & 0xff;
  });
  for (let i = bytes.length + 2, pad = 0xec; i < data.length; i++, pad ^= 0xec ^ 0x11) data[i] = pad;

  let at = 0;
  const parts = blocks.map((n) => data.subarray(at, (at += n)));
  const checks = parts.map((part) => reedSolomon(part, correction));
  const out: number[] = [];
  for (let i = 0; i < Math.max(...blocks); i++) for (const part of parts) if (i < part.length) out.push(part[i]!);
  for (let i = 0; i < correction; i++) for (const check of checks) out.push(check[i]!);
  return Uint8Array.from(out);
}

type Grid = Uint8Array[];
const square = (size: number): Grid => Array.from({ length: size }, () => new Uint8Array(size));

/** Centres of the alignment patterns along one side (annex E; up to version 9 there are at most three). */
function alignment(version: number): number[] {
  if (version === 1) return [];
  const last = 4 * version + 10;
  return version < 7 ? [6, last] : [6, (last + 6) / 2, last];
}

/** Places that hold no data, marked in `used`; the patterns themselves in `modules`. */
function drawPatterns(modules: Grid, used: Grid, version: number): void {
  const size = modules.length;
  const set = (row: number, column: number, dark: boolean): void => {
    if (row < 0 || column < 0 || row >= size || column >= size) return;
    modules[row]![column] = Number(dark);
    used[row]![column] = 1;
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [r, c] of [
    [3, 3],
    [3, size - 4],
    [size - 4, 3],
  ] as const) {
    for (let y = -4; y <= 4; y++)
      for (let x = -4; x <= 4; x++) {
        const ring = Math.max(Math.abs(x), Math.abs(y));
        set(r + y, c + x, ring !== 2 && ring !== 4);
      }
  }
  const centres = alignment(version);
  const last = centres.at(-1);
  for (const r of centres)
    for (const c of centres) {
      if ((r === 6 && (c === 6 || c === last)) || (c === 6 && r === last)) continue;
      for (let y = -2; y <= 2; y++)
        for (let x = -2; x <= 2; x++) set(r + y, c + x, Math.max(Math.abs(x), Math.abs(y)) !== 1);
    }
  drawFormat(set, size, 0);
  if (version < 7) return;
  const bits = versionBits(version);
  for (let i = 0; i < 18; i++) {
    const dark = ((bits >> i) & 1) === 1;
    set(Math.floor(i / 3), size - 11 + (i % 3), dark);
    set(size - 11 + (i % 3), Math.floor(i / 3), dark);
  }
}

/** Both copies of the format information, least bit first (figure 25), and the module that is always dark. */
function drawFormat(set: (row: number, column: number, dark: boolean) => void, size: number, mask: number): void {
  const bits = formatBits(mask);
  for (let i = 0; i < 15; i++) {
    const dark = ((bits >> i) & 1) === 1;
    if (i < 8) set(i < 6 ? i : i + 1, 8, dark);
    else set(8, i === 8 ? 7 : 14 - i, dark);
    if (i < 8) set(8, size - 1 - i, dark);
    else set(size - 15 + i, 8, dark);
  }
  set(size - 8, 8, true);
}

/** Codewords into the free places: columns in pairs from the right, upwards and downwards in turn (7.7.3). */
function drawData(modules: Grid, used: Grid, words: Uint8Array): void {
  const size = modules.length;
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const upwards = ((right + 1) & 2) === 0;
    for (let i = 0; i < size; i++)
      for (const column of [right, right - 1]) {
        const row = upwards ? size - 1 - i : i;
        if (used[row]![column] === 1 || bit >= words.length * 8) continue;
        modules[row]![column] = (words[bit >> 3]! >> (7 - (bit & 7))) & 1;
        bit++;
      }
  }
}

/** Conditions of the eight masks (table 10). */
const MASKS: readonly ((r: number, c: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_r, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => ((r >> 1) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

/** How hard a code is to read (7.8.3): long runs, blocks of four, finder-like patterns, too much of one colour. */
function penalty(modules: Grid): number {
  const size = modules.length;
  let points = 0;
  let dark = 0;
  const columns = modules.map((_, c) => modules.map((row) => row[c]!));
  for (const line of [...modules, ...columns]) {
    const text = Array.from(line).join("");
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) points += run.length - 2;
    for (const pattern of ["10111010000", "00001011101"])
      for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) points += 40;
  }
  for (let r = 0; r < size; r++)
    for (let c = 0; c < size; c++) {
      const v = modules[r]![c]!;
      dark += v;
      if (r + 1 < size && c + 1 < size && v === modules[r]![c + 1] && v === modules[r + 1]![c]) {
        if (v === modules[r + 1]![c + 1]) points += 3;
      }
    }
  return points + 10 * Math.floor(Math.abs((100 * dark) / (size * size) - 50) / 5);
}

/** The code of `text`, rows of modules, 1 for dark, without the light border of four that it needs around it. */
export function qrCode(text: string): Grid {
  const bytes = new TextEncoder().encode(text);
  const version = 1 + BLOCKS.findIndex(([, blocks]) => bytes.length + 2 <= sum(blocks));
  if (version === 0) throw new IdapError("E_RANGE", `a QR code of ${bytes.length} bytes is too large, 180 fit`);
  const size = 17 + 4 * version;
  const modules = square(size);
  const used = square(size);
  drawPatterns(modules, used, version);
  drawData(modules, used, codewords(bytes, version));
  const candidates = MASKS.map((flip, mask) => {
    const grid = modules.map((row, r) => row.map((v, c) => (used[r]![c] === 1 ? v : v ^ Number(flip(r, c)))));
    drawFormat((r, c, dark) => (grid[r]![c] = Number(dark)), size, mask);
    return grid;
  });
  const points = candidates.map(penalty);
  return candidates[points.indexOf(Math.min(...points))]!;
}

/** For a terminal: two modules in one character, black on white whatever the terminal's colours, with the border. */
export function renderQr(text: string): string {
  const code = qrCode(text);
  const size = code.length;
  const dark = (r: number, c: number): boolean => code[r]?.[c] === 1;
  const lines: string[] = [];
  for (let r = -4; r < size + 4; r += 2) {
    let line = "";
    for (let c = -4; c < size + 4; c++) {
      const [top, bottom] = [dark(r, c), dark(r + 1, c)];
      line += top ? (bottom ? "█" : "▀") : bottom ? "▄" : " ";
    }
    lines.push(`\u001b[30;107m${line}\u001b[0m`);
  }
  return lines.join("\n");
}
