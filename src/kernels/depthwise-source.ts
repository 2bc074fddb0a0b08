/**
 * Text of the depthwise tile for one geometry: `pixels` neighbouring output pixels of a row, all channels, 4 at a time.
 *
 * Offsets are constants inside the load instructions. Inside a row of taps every input vector is loaded once and used by
 * all pixels that see it. Sums run in the order of `assembly/kernels/depthwise.ts`: bias, then ky, kx ascending.
 * Error: 2*kh*kw + 1 roundings of |bias| + sum |x * w|.
 *
 * As many pixels as hide the latency of an addition. GFLOP/s of 3x3 windows at 14 x 14 x 384, stride 1 / 28 x 28 x 144,
 * stride 2 (Zen 4, all forms interleaved); 2x3 and 2x2 are two rows of outputs, written out, so that inner rows of the image
 * are loaded once for both:
 *
 *                      1x3      1x4      1x5      1x6      1x7      2x3      2x2, weights of a row in registers
 *   relaxed, V8 13.6   26 / 17  26 / 15  32 / 20  31 / 20  34 / 22  31 / 20  28 / 20
 *   relaxed, V8 11.3   28 / 21  28 / 20  34 / 20  33 / 19  28 / 18  33 / 20  32 / 19
 *   strict,  V8 13.6   23 / 18  23 / 17  26 / 20  26 / 20  26 / 20  23 / 17  25 / 18
 *   strict,  V8 11.3   23 / 17  22 / 15  24 / 16  24 / 16  22 / 17  14 / 10  25 / 17
 *
 * Rows of outputs at once gain nothing over long rows, are three times the code (10.2 kB instead of 7.6 kB for DS-CNN).
 */
import type { Variant } from "./tiles.js";

/** Bytes but for counts. */
export interface DepthwiseGeometry {
  /** Bytes of all channels, a multiple of 16. */
  readonly channels: number;
  readonly xCol: number;
  readonly yCol: number;
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

/** Pixels of a tile: see the measurements above; wide windows keep registers for a row of weights. */
export function depthwisePixels(kw: number, variant: Variant): number {
  if (variant === "scalar") return 1;
  const most = variant === "relaxed" ? 7 : 6;
  return kw > WEIGHTS_IN_REGISTERS ? most : Math.min(most, 12 - kw);
}
