import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { formatBits, qrCode, reedSolomon, renderQr, versionBits } from "../../src/measure/qr.js";

const rows = (text: string): string[] => qrCode(text).map((row) => Array.from(row).join(""));

/** Reads a code back by the standard's rules, written apart from the encoder: format, mask, zigzag, blocks, bytes. */
function decode(code: readonly Uint8Array[]): string {
  const size = code.length;
  const version = (size - 17) / 4;
  const bit = (r: number, c: number): number => code[r]![c]!;
  // Format information around the upper left finder, most significant bit first.
  const format = [
    ...[0, 1, 2, 3, 4, 5, 7].map((c) => bit(8, c)),
    bit(8, 8),
    bit(7, 8),
    ...[5, 4, 3, 2, 1, 0].map((r) => bit(r, 8)),
  ];
  const value = format.reduce((n, b) => 2 * n + b, 0) ^ 0b101010000010010;
  const mask = (value >> 10) & 7;
  expect(value >> 13, "level M").toBe(0);
  const flips = [
    (r: number, c: number) => (r + c) % 2,
    (r: number) => r % 2,
    (_r: number, c: number) => c % 3,
    (r: number, c: number) => (r + c) % 3,
    (r: number, c: number) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2,
    (r: number, c: number) => ((r * c) % 2) + ((r * c) % 3),
    (r: number, c: number) => (((r * c) % 2) + ((r * c) % 3)) % 2,
    (r: number, c: number) => (((r + c) % 2) + ((r * c) % 3)) % 2,
  ];
  const centres = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46]][
    version - 1
  ]!;
  const reserved = (r: number, c: number): boolean => {
    const low = r < 9 && c < 9;
    const corner = low || (r < 9 && c >= size - 8) || (r >= size - 8 && c < 9);
    if (corner || r === 6 || c === 6) return true;
    if (version >= 7 && ((r < 6 && c >= size - 11) || (c < 6 && r >= size - 11))) return true;
    return centres.some((y) =>
      centres.some((x) => {
        const finder = (y < 9 && x < 9) || (y < 9 && x > size - 9) || (y > size - 9 && x < 9);
        return !finder && Math.abs(r - y) <= 2 && Math.abs(c - x) <= 2;
      }),
    );
  };
  // Pairs of columns from the right, without the vertical timing pattern; every second pair is read downwards.
  const columns = Array.from({ length: size }, (_, c) => size - 1 - c).filter((c) => c !== 6);
  const bits: number[] = [];
  for (let pair = 0; 2 * pair < columns.length; pair++)
    for (let i = 0; i < size; i++) {
      const r = pair % 2 === 0 ? size - 1 - i : i;
      for (const c of columns.slice(2 * pair, 2 * pair + 2))
        if (!reserved(r, c)) bits.push(bit(r, c) ^ Number(flips[mask]!(r, c) === 0));
    }
  const words = Array.from({ length: bits.length >> 3 }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((n, b) => 2 * n + b, 0),
  );
  const sizes = [
    [16],
    [28],
    [44],
    [32, 32],
    [43, 43],
    [27, 27, 27, 27],
    [31, 31, 31, 31],
    [38, 38, 39, 39],
    [36, 36, 36, 37, 37],
  ][version - 1]!;
  const blocks = sizes.map(() => [] as number[]);
  for (let i = 0, at = 0; i < Math.max(...sizes); i++) blocks.forEach((b, k) => i < sizes[k]! && b.push(words[at++]!));
  const data = blocks.flat().flatMap((b) => [b >> 4, b & 15]);
  expect(data[0], "byte mode").toBe(4);
  const length = 16 * data[1]! + data[2]!;
  return new TextDecoder().decode(Uint8Array.from({ length }, (_, i) => 16 * data[3 + 2 * i]! + data[4 + 2 * i]!));
}

describe("QR codes", () => {
  test("the examples of the standard: correction, format, version", () => {
    const data = "10 20 0C 56 61 80 EC 11 EC 11 EC 11 EC 11 EC 11".split(" ").map((x) => parseInt(x, 16));
    const correction = "A5 24 D4 C1 ED 36 C7 87 2C 55".split(" ").map((x) => parseInt(x, 16));
    expect([...reedSolomon(data, 10)]).toEqual(correction); // annex I, 01234567 in 1-M
    expect(formatBits(5)).toBe(0b100000011001110); // annex C
    expect(versionBits(7)).toBe(0b000111110010010100); // annex D
  });

  // Recorded from the Python packages qrcode and segno, which agree, at the same version and mask.
  test.each([
    [
      "http://192.168.178.123:65535/abcdefghijklmnopqrstuvwxyzABCDEF/",
      33,
      "e4c07c509ff7965767619b1ae601bff404c1228997769cbce7fa23c26f940ac8",
    ],
    [
      Array.from({ length: 180 }, (_, i) => String.fromCharCode(33 + ((i * 37) % 90))).join(""),
      53,
      "30b4740468464b556223b87c80780fd1bf836d96cc5dfa5d079ddc5ec9e84911",
    ],
  ])("%s is what other encoders draw", (text, size, hash) => {
    expect(rows(text).length).toBe(size);
    expect(createHash("sha256").update(rows(text).join("\n")).digest("hex")).toBe(hash);
  });

  test("every version reads back", () => {
    for (let length = 1; length <= 180; length++) {
      const text = Array.from({ length }, (_, i) => String.fromCharCode(33 + ((i * 31 + length) % 94))).join("");
      expect(decode(qrCode(text)), `${length} bytes`).toBe(text);
    }
  });

  test("what is too long is refused", () => {
    expect(() => qrCode("x".repeat(181))).toThrowError(expect.objectContaining({ code: "E_RANGE" }));
  });

  test("in a terminal: a square with a border of four light modules, dark on light", () => {
    const lines = renderQr("a")
      .split("\n")
      .map((l) => l.replace(/\u001b\[[\d;]*m/g, ""));
    expect(lines.map((l) => l.length)).toEqual(lines.map(() => 29));
    expect(lines.length).toBe(15);
    expect([...lines.slice(0, 2), lines.at(-1), lines.at(-2)].join("").trim()).toBe("");
    expect(lines[2]).toMatch(/^ {4}█▀▀▀▀▀█/);
    expect(renderQr("a")).toContain("\u001b[30;107m");
  });
});
