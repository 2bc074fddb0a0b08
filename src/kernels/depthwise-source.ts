/**
 * Text of the depthwise tile for one geometry: `pixels` neighbouring output pixels of a row, all channels, 4 at a time.
 *
 * Offsets are constants inside the load instructions. Inside a row of taps every input vector is loaded once and used by
 * all pixels that see it. Sums run in the order of `assembly/kernels/depthwise.ts`: bias, then ky, kx ascending.
 */

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
