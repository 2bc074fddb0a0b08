/**
 * Text of the transforms of Winograd F(4x4,3x3) for one geometry; the method, its points and its error: winograd.ts.
 *
 * Vectors are 4 channels. A tile's 36 vectors do not fit into 16 registers, so a transform goes over columns into a small
 * scratch that stays in the first cache, and from there over rows. One function does a row of tiles. The products between
 * the transforms are the tiles of tile-source.ts.
 */
import { INPUT_TILE, PRODUCTS, TILE } from "./winograd.js";

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const ACTIVATE = ["", "relu4", "relu6of4"];
const offset = (n: number): string => (n === 0 ? "" : `, ${n}`);
/** c + x * k */
const madd = (x: string, k: string, c: string): string => `madd(${x}, ${k}, ${c})`;
const add = (a: string, b: string): string => `f32x4.add(${a}, ${b})`;
const sub = (a: string, b: string): string => `f32x4.sub(${a}, ${b})`;
const mul = (a: string, k: string): string => `f32x4.mul(${a}, ${k})`;

/** What `winograd_constants` has put into memory (assembly/kernels/winograd.ts), in its order. */
const CONSTANTS = ["a", "b", "a2", "b2", "a3", "b3", "minusA2", "minusB2", "product", "minusSum"] as const;
type Constant = (typeof CONSTANTS)[number];
/** Bytes of the scratch: 36 vectors, and the constants behind them. */
export const SCRATCH_BYTES = 16 * PRODUCTS + 4 * CONSTANTS.length;

/** Reads constants: V8 13 would put a vector together at every use of one that it knows (7 % of 32 x 32 x 16). */
const constants = (scratch: number, names: readonly Constant[]): string =>
  `const ${names
    .map((k) => `${k} = v128.load32_splat(${scratch}, ${16 * PRODUCTS + 4 * CONSTANTS.indexOf(k)})`)
    .join(", ")};`;
const INPUT_CONSTANTS = ["a", "b", "minusA2", "minusB2", "product", "minusSum"] as const;
const OUTPUT_CONSTANTS = ["a", "b", "a2", "b2", "a3", "b3"] as const;

/** B^T times d0 to d5. The rows of +p and -p are the even part of a polynomial plus and minus its odd part. */
function inputLines(store: (k: number, value: string) => string): string[] {
  const pair = (k: number, point: string, minusOther: string): string[] => [
    "{",
    `  const even = ${madd("d2", minusOther, "d4")}, odd = ${mul(madd("d1", minusOther, "d3"), point)};`,
    `  ${store(k, add("even", "odd"))}`,
    `  ${store(k + 1, sub("even", "odd"))}`,
    "}",
  ];
  return [
    store(0, madd("d0", "product", madd("d2", "minusSum", "d4"))),
    ...pair(1, "a", "minusB2"),
    ...pair(3, "b", "minusA2"),
    store(5, madd("d1", "product", madd("d3", "minusSum", "d5"))),
  ];
}

/** The first `count` rows of A^T times d0 to d5. */
function outputLines(count: number, store: (k: number, value: string) => string): string[] {
  const rows = [
    add(add("d0", "s"), "t"),
    madd("u", "a", mul("v", "b")),
    madd("s", "a2", mul("t", "b2")),
    madd("u", "a3", madd("v", "b3", "d5")),
  ];
  return [
    `const s = ${add("d1", "d2")}, t = ${add("d3", "d4")};`,
    ...(count > 1 ? [`const u = ${sub("d1", "d2")}, v = ${sub("d3", "d4")};`] : []),
    ...range(count).map((k) => store(k, rows[k]!)),
  ];
}

/** Bytes of one row of the scratch. */
const ROW = 16 * INPUT_TILE;

/** Loads d0 to d5, `step` bytes apart, and transforms them. */
const pass = (from: string, step: number, lines: readonly string[]): string[] => [
  `const ${range(INPUT_TILE)
    .map((k) => `d${k} = v128.load(${from}${offset(k * step)})`)
    .join(", ")};`,
  ...lines,
];

const indent = (lines: readonly string[]): string[] => lines.map((l) => "  " + l);

/** A counted loop over pointers: [name, start, step]; the first one ends it. */
function loop(count: number, pointers: readonly (readonly [string, string, number])[], lines: readonly string[]) {
  const [[name, start, step]] = pointers as [readonly [string, string, number]];
  const starts = pointers.map(([p, from]) => `${p}: usize = ${from}`).join(", ");
  const steps = pointers.map(([p, , by]) => `${p} += ${by}`).join(", ");
  return [`for (let ${starts}; ${name} < ${start} + ${count * step}; ${steps}) {`, ...indent(lines), "}"];
}

const body = (name: string, parameters: string, lines: readonly string[]): string =>
  `function ${name}(${parameters}): void {\n${indent(lines).join("\n")}\n}\n`;

/** Everything in bytes but `tiles`. */
export interface InputTransform {
  /** Tiles of a row. */
  readonly tiles: number;
  readonly xCol: number;
  readonly xRow: number;
  /** From one of the 36 products to the next in V: tiles of a chunk times channels. */
  readonly product: number;
  /** Address of 36 vectors and the constants. */
  readonly scratch: number;
}

/** `name(x, v)`: B^T d B of a row of tiles. x: first pixel of the first tile; v: its place in V. */
export function inputTransform(name: string, g: InputTransform): string {
  const scratch = String(g.scratch);
  const columns = pass(
    "p",
    g.xRow,
    inputLines((k, value) => `v128.store(mid, ${value}${offset(ROW * k)});`),
  );
  const rows = pass(
    "mid",
    16,
    inputLines((k, value) => `v128.store(p, ${value}${offset(k * g.product)});`),
  );
  return body(name, "x: usize, v: usize", [
    constants(g.scratch, INPUT_CONSTANTS),
    `for (let tile = 0; tile < ${g.tiles}; tile++) {`,
    `  const end = x + ${g.xCol};`,
    "  do {",
    ...indent(
      indent([
        ...loop(INPUT_TILE, [["mid", scratch, 16], ["p", "x", g.xCol]], columns), // prettier-ignore
        ...loop(INPUT_TILE, [["mid", scratch, ROW], ["p", "v", INPUT_TILE * g.product]], rows), // prettier-ignore
        "x += 16; v += 16;",
      ]),
    ),
    "  } while (x < end);",
    `  x += ${(TILE - 1) * g.xCol};`,
    "}",
  ]);
}

/** Bytes but for counts. */
export interface OutputTransform {
  /** Pixels of a row of outputs, and how many of the four rows there are. */
  readonly width: number;
  readonly rows: number;
  readonly product: number;
  readonly scratch: number;
  /** From the bias of four channels to that of the next four. */
  readonly panel: number;
  readonly yCol: number;
  readonly yRow: number;
  /** null: no residual. */
  readonly rCol: number | null;
  readonly rRow: number;
  /** 0 none, 1 relu, 2 relu6. */
  readonly act: number;
}

/** `name(m, y, w)` or `name(m, y, w, r)`: act(A^T M A + bias + residual) of a row of tiles. w: the bias of the panels. */
export function outputTransform(name: string, g: OutputTransform): string {
  const { rCol, yCol } = g;
  const scratch = String(g.scratch);
  const columns = pass(
    "p",
    INPUT_TILE * g.product,
    outputLines(g.rows, (k, value) => `v128.store(mid, ${value}${offset(ROW * k)});`),
  );
  const rows = (cols: number): string[] =>
    pass(
      "mid",
      16,
      outputLines(cols, (k, value) => {
        const biased = add(value, "shift");
        const sum = rCol === null ? biased : add(biased, `v128.load(q${offset(k * rCol)})`);
        const act = ACTIVATE[g.act]!;
        return `v128.store(p, ${act ? `${act}(${sum})` : sum}${offset(k * yCol)});`;
      }),
    );
  const residual = rCol === null ? [] : [["q", "r", g.rRow] as const];
  /** All channels of one tile of which `cols` columns are inside the image. */
  const tile = (cols: number): string[] => [
    `const end = y + ${yCol};`,
    "let bias = w;",
    "do {",
    ...indent([
      ...loop(INPUT_TILE, [["mid", scratch, 16], ["p", "m", g.product]], columns), // prettier-ignore
      "const shift = v128.load(bias);",
      ...loop(g.rows, [["mid", scratch, ROW], ["p", "y", g.yRow], ...residual], rows(cols)), // prettier-ignore
    ]),
    `  m += 16; y += 16; bias += ${g.panel};${rCol === null ? "" : " r += 16;"}`,
    "} while (y < end);",
  ];
  const full = Math.floor(g.width / TILE);
  const rest = g.width % TILE;
  const next = `y += ${(TILE - 1) * yCol};${rCol === null ? "" : ` r += ${(TILE - 1) * rCol};`}`;
  return body(name, `m: usize, y: usize, w: usize${rCol === null ? "" : ", r: usize"}`, [
    constants(g.scratch, OUTPUT_CONSTANTS),
    ...(full > 0 ? [`for (let tile = 0; tile < ${full}; tile++) {`, ...indent([...tile(TILE), next]), "}"] : []),
    ...(rest > 0 ? ["{", ...indent(tile(rest)), "}"] : []),
  ]);
}
