/**
 * Text of the depthwise tile for one geometry: `rows` x `pixels` neighbouring output pixels, all channels, 4 at a time.
 *
 * Offsets are constants inside the load instructions. Every input vector is loaded once and used by all outputs that see
 * it, of several rows where the window is small. Sums run in the order of `assembly/kernels/depthwise.ts`: bias, then ky,
 * kx ascending.
 *
 * Tiles of 3x3 windows, GFLOP/s at 14 x 14 x 384, stride 1 / at 28 x 28 x 144, stride 2 (Zen 4; 1x4 loops over the rows of
 * taps, the others are written out; "held": the weights of a row of taps are loaded before its pixels):
 *
 *                      1x4        1x3        2x2 held   2x2        2x3        2x4        4x2
 *   relaxed, V8 13.6   28.4 / 19  27.4 / 19  31.5 / 23  31.3 / 22  33.9 / 23  35.2 / 23  34.0 / 22
 *   relaxed, V8 11.3   28.8 / 19  27.7 / 21  31.4 / 19  31.6 / 19  33.1 / 20  30.4 / 17  26.8 / 18
 *   strict,  V8 13.6   23.5 / 19  22.8 / 18  24.9 / 19  22.7 / 17  23.5 / 18  24.6 / 17  23.7 / 17
 *   strict,  V8 11.3   22.9 / 15  22.8 / 17  24.6 / 17  15.5 / 12  13.5 / 11  12.4 /  9  12.2 /  9
 *
 * The products of strict builds spill on V8 11 unless weights are held. At stride 2 the gain is small and larger tiles walk
 * through more lines at once than prefetchers follow: 112 x 112 x 96 takes 0.29 ms by 1x3 inside a network and 0.39 by 2x3.
 */
import type { Variant } from "./tiles.js";

/** Bytes but for counts. */
export interface DepthwiseGeometry {
  /** Bytes of all channels, a multiple of 16. */
  readonly channels: number;
  readonly xCol: number;
  readonly yCol: number;
  /** From an output row to the next, in x and in y. */
  readonly xRow: number;
  readonly yRow: number;
  readonly kh: number;
  readonly kw: number;
  readonly kyStep: number;
  readonly kxStep: number;
  readonly act: number;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const ACTIVATE = ["", "relu4", "relu6of4"];
/** Weights of one row of taps that stay in registers beside accumulators; wider windows load them as they go. */
const WEIGHTS_IN_REGISTERS = 7;

/** `name(a, w, y)`: a: first pixel of the first window, w: panels [C/4][bias | kh*kw][4], y: first output pixel. */
export function depthwiseTile(name: string, pixels: number, g: DepthwiseGeometry): string {
  const offset = (n: number): string => (n === 0 ? "" : `, ${n}`);
  const lines: string[] = [`const end = y + ${g.channels};`, "let x: v128;", "do {"];
  lines.push(
    "  let " +
      range(pixels)
        .map((p) => `c${p} = v128.load(w)`)
        .join(", ") +
      ";",
  );
  lines.push("  let r = a;", "  w += 16;", `  for (let ky = 0; ky < ${g.kh}; ky++) {`);
  if (g.kw <= WEIGHTS_IN_REGISTERS) {
    lines.push(
      "    const " +
        range(g.kw)
          .map((k) => `k${k} = v128.load(w${offset(16 * k)})`)
          .join(", ") +
        ";",
    );
    // Positions of a row in ascending order; for each pixel that is also the order of its taps.
    const uses = new Map<number, string[]>();
    for (const k of range(g.kw)) {
      for (const p of range(pixels)) {
        const at = p * g.xCol + k * g.kxStep;
        uses.set(at, [...(uses.get(at) ?? []), `c${p} = madd(x, k${k}, c${p});`]);
      }
    }
    for (const [at, statements] of [...uses].sort(([i], [j]) => i - j)) {
      lines.push(`    x = v128.load(r${offset(at)}); ${statements.join(" ")}`);
    }
    lines.push(`    r += ${g.kyStep}; w += ${16 * g.kw};`);
  } else {
    lines.push(`    let s = r;`, `    for (let kx = 0; kx < ${g.kw}; kx++) {`, "      x = v128.load(w);");
    for (const p of range(pixels)) {
      lines.push(`      c${p} = madd(v128.load(s${offset(p * g.xCol)}), x, c${p});`);
    }
    lines.push(`      s += ${g.kxStep}; w += 16;`, "    }", `    r += ${g.kyStep};`);
  }
  lines.push("  }");
  for (const p of range(pixels)) {
    const value = ACTIVATE[g.act] ? `${ACTIVATE[g.act]}(c${p})` : `c${p}`;
    lines.push(`  v128.store(y, ${value}${offset(p * g.yCol)});`);
  }
  lines.push("  a += 16; y += 16;", "} while (y < end);");
  return `function ${name}(a: usize, w: usize, y: usize): void {\n${lines.map((l) => "  " + l).join("\n")}\n}\n`;
}

/** Largest window that is written out for several rows at once: more is code without reuse. */
const SMALL_WINDOW = 9;

export interface DepthwiseTile {
  readonly rows: number;
  readonly pixels: number;
}

/** The tile for a window; see the measurements above. */
export function depthwiseShape(
  [kh, kw]: readonly [number, number],
  [strideY, strideX]: readonly [number, number],
  variant: Variant,
): DepthwiseTile {
  if (kh > 1 && kh * kw <= SMALL_WINDOW && strideY === 1 && strideX === 1)
    return { rows: 2, pixels: variant === "relaxed" ? 3 : 2 };
  return { rows: 1, pixels: strideX === 1 ? 4 : 3 };
}

/** `name(a, w, y)` as `depthwiseTile`, for `rows` rows of outputs at once. */
export function depthwiseBlock(
  name: string,
  rows: number,
  pixels: number,
  held: boolean,
  g: DepthwiseGeometry,
): string {
  const offset = (n: number): string => (n === 0 ? "" : `, ${n}`);
  const weight = (ky: number, kx: number): string => `v128.load(w, ${16 * (1 + ky * g.kw + kx)})`;
  const outputs = range(rows).flatMap((r) => range(pixels).map((p) => ({ r, p })));
  const lines: string[] = [`const end = y + ${g.channels};`, "let x: v128;", "do {"];
  lines.push(`  let ${outputs.map(({ r, p }) => `c${r}${p} = v128.load(w)`).join(", ")};`);

  /** Rows of the image in ascending order, with the outputs' rows that see them: ascending ky for each. */
  const seen = new Map<number, { r: number; ky: number }[]>();
  for (const ky of range(g.kh)) {
    for (const r of range(rows)) {
      const at = r * g.xRow + ky * g.kyStep;
      seen.set(at, [...(seen.get(at) ?? []), { r, ky }]);
    }
  }
  for (const [row, readers] of [...seen].sort(([i], [j]) => i - j)) {
    const constant = (r: number, kx: number): string => `k${row}_${r}${kx}`;
    if (held) {
      const loads = readers.flatMap(({ r, ky }) => range(g.kw).map((kx) => `${constant(r, kx)} = ${weight(ky, kx)}`));
      lines.push(`  const ${loads.join(", ")};`);
    }
    const uses = new Map<number, { p: number; kx: number }[]>();
    for (const kx of range(g.kw)) {
      for (const p of range(pixels)) {
        const at = p * g.xCol + kx * g.kxStep;
        uses.set(at, [...(uses.get(at) ?? []), { p, kx }]);
      }
    }
    for (const [at, taps] of [...uses].sort(([i], [j]) => i - j)) {
      const sums = readers.flatMap(({ r, ky }) =>
        taps.map(({ p, kx }) => `c${r}${p} = madd(x, ${held ? constant(r, kx) : weight(ky, kx)}, c${r}${p});`),
      );
      lines.push(`  x = v128.load(a${offset(row + at)}); ${sums.join(" ")}`);
    }
  }
  for (const { r, p } of outputs) {
    const value = ACTIVATE[g.act] ? `${ACTIVATE[g.act]}(c${r}${p})` : `c${r}${p}`;
    lines.push(`  v128.store(y, ${value}${offset(r * g.yRow + p * g.yCol)});`);
  }
  lines.push(`  a += 16; y += 16; w += ${16 * (1 + g.kh * g.kw)};`, "} while (y < end);");
  return `function ${name}(a: usize, w: usize, y: usize): void {\n${lines.map((l) => "  " + l).join("\n")}\n}\n`;
}
