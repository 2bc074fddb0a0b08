/**
 * What the machine can do at best, as a module of its own: multiply-adds without memory, loads and stores without
 * arithmetic. Text of AssemblyScript, compiled beside the package that is profiled.
 *
 * Multiply-adds: as many independent sums as hide an instruction's latency (12 fused; 3 x 3 and 2 x 3 separate ones, whose
 * products need registers, too), operands in registers but for one load of each step that keeps compilers from moving
 * the products out of the loop. Which form is fastest depends on the engine's register allocation, so several are timed and
 * the best counts (Zen 4, V8 11.3 and 13.6: 45.8 GFLOP/s fused; separate 41 to 43, single rounds of 45.7).
 */
import type { Variant } from "./engine.js";

/** One form of the multiply-add loop: `name(times, p)`. */
export interface CeilingForm {
  readonly name: string;
  /** Floating-point operations of one iteration. */
  readonly flops: number;
}

/** Sizes in bytes of the buffers whose loads and stores are timed: from the first cache to memory. */
export const BANDWIDTH_SIZES: readonly number[] = [14, 16, 18, 20, 22, 24].map((n) => 2 ** n);
/** Where the buffers begin; before it constants. */
export const BANDWIDTH_BASE = 4096;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const load = (i: number): string => `v128.load(p, ${16 * i})`;

function form(name: string, before: string, sums: number, step: readonly string[], repeats: number) {
  const text = `export function ${name}(times: i32, p: usize): void {
  ${before}
  let ${range(sums)
    .map((i) => `c${i} = ${load(8 + i)}`)
    .join(", ")};
  for (let i = 0; i < times; i++) {
    ${range(repeats)
      .flatMap(() => step)
      .join("\n    ")}
  }
  ${range(sums)
    .map((i) => `v128.store(p, c${i}, ${1024 + 16 * i});`)
    .join(" ")}
}`;
  return { name, flops: 8 * sums * repeats, text };
}

function fused() {
  const sums = 12;
  const step = range(sums).map((i) => `c${i} = f32x4.relaxed_madd(x, w, c${i});`);
  return form("fused", `const x = ${load(0)}, w = ${load(1)};`, sums, step, 4);
}

function separate(rows: number, vectors: number, repeats: number) {
  const step = range(rows).map(
    (r) =>
      `x = v128.load32_splat(p, ${4 * r}); ` +
      range(vectors)
        .map((v) => `c${r * vectors + v} = f32x4.add(c${r * vectors + v}, f32x4.mul(x, w${v}));`)
        .join(" "),
  );
  const weights = range(vectors).map((v) => `w${v} = ${load(1 + v)}`);
  const before = `let x: v128; const ${weights.join(", ")};`;
  return form(`separate${rows}x${vectors}_${repeats}`, before, rows * vectors, step, repeats);
}

const MEMORY = `
export function read(bytes: usize): void {
  let q: usize = ${BANDWIDTH_BASE};
  const end = q + bytes;
  ${range(8)
    .map((i) => `let c${i} = v128.load(q, ${16 * i});`)
    .join(" ")}
  do {
    ${range(8)
      .map((i) => `c${i} = v128.xor(c${i}, v128.load(q, ${16 * i}));`)
      .join(" ")}
    q += 128;
  } while (q < end);
  ${range(8)
    .map((i) => `v128.store(0, c${i}, ${2048 + 16 * i});`)
    .join(" ")}
}
export function write(bytes: usize): void {
  let q: usize = ${BANDWIDTH_BASE};
  const end = q + bytes, x = v128.load(0);
  do {
    ${range(8)
      .map((i) => `v128.store(q, x, ${16 * i});`)
      .join(" ")}
    q += 128;
  } while (q < end);
}`;

/** Of scalars a vector is four registers. */
const FORMS: Readonly<Record<Variant, () => ReturnType<typeof form>[]>> = {
  relaxed: () => [fused()],
  simd: () => [separate(3, 3, 1), separate(3, 3, 2), separate(2, 3, 1), separate(4, 2, 4)],
  scalar: () => [separate(2, 1, 1), separate(2, 1, 4), separate(1, 1, 4)],
};

export interface CeilingSource {
  readonly text: string;
  readonly forms: readonly CeilingForm[];
  readonly pages: number;
}

export function ceilingSource(variant: Variant): CeilingSource {
  const forms = FORMS[variant]();
  return {
    text: [...forms.map((f) => f.text), MEMORY].join("\n"),
    forms: forms.map(({ name, flops }) => ({ name, flops })),
    pages: 1 + Math.ceil((BANDWIDTH_BASE + BANDWIDTH_SIZES.at(-1)!) / 65536),
  };
}
