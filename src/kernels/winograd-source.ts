/**
 * Text of the transforms of Winograd's method for one geometry; the method, its points and its error: winograd.ts.
 *
 * Vectors are 4 channels. A tile's vectors (36, or 81 at stride 2) do not fit into 16 registers, so a transform goes over columns into a small
 * scratch that stays in the first cache, and from there over rows. One function does a row of tiles. The products between
 * the transforms are the tiles of tile-source.ts.
 */
import { alignUp } from "./memory.js";
import { SCHEMES, TILE, type Scheme } from "./winograd.js";

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const ACTIVATE = ["", "relu4", "relu6of4"];
const offset = (n: number): string => (n === 0 ? "" : `, ${n}`);
/** c + x * k */
const madd = (x: string, k: string, c: string): string => `madd(${x}, ${k}, ${c})`;
const add = (a: string, b: string): string => `f32x4.add(${a}, ${b})`;
const sub = (a: string, b: string): string => `f32x4.sub(${a}, ${b})`;
const mul = (a: string, k: string): string => `f32x4.mul(${a}, ${k})`;

/** Coefficients of the transforms, by the names that the text gives them. */
interface Coefficients {
  readonly input: Readonly<Record<string, number>>;
  readonly output: Readonly<Record<string, number>>;
}

type Store = (k: number, value: string) => string;

/** What is particular to a scheme: both transforms along an axis. */
interface Transform {
  readonly coefficients: Coefficients;
  /** The mixed points' rows of B^T times d, the inputs that they mix. */
  readonly input: (d: readonly string[], store: Store) => string[];
  /** The first `count` rows of A^T times d0, d1, .. */
  readonly output: (count: number, store: Store) => string[];
}

/** Powers of the points, which A^T consists of. */
function powers({ a, b }: Scheme): Readonly<Record<string, number>> {
  return { a, b, a2: a * a, b2: b * b, a3: a ** 3, b3: b ** 3 };
}

function unitTransform(scheme: Scheme): Transform {
  const { a, b } = scheme;
  /** The rows of +p and -p are the even part of a polynomial plus and minus its odd part. */
  const pair = (k: number, d: readonly string[], point: string, minusOther: string, store: Store): string[] => [
    "{",
    `  const even = ${madd(d[2]!, minusOther, d[4]!)}, odd = ${mul(madd(d[1]!, minusOther, d[3]!), point)};`,
    `  ${store(k, add("even", "odd"))}`,
    `  ${store(k + 1, sub("even", "odd"))}`,
    "}",
  ];
  return {
    coefficients: {
      input: { a, b, minusA2: -a * a, minusB2: -b * b, product: a * a * b * b, minusSum: -(a * a + b * b) },
      output: powers(scheme),
    },
    input: (d, store) => [
      store(0, madd(d[0]!, "product", madd(d[2]!, "minusSum", d[4]!))),
      ...pair(1, d, "a", "minusB2", store),
      ...pair(3, d, "b", "minusA2", store),
      store(5, madd(d[1]!, "product", madd(d[3]!, "minusSum", d[5]!))),
    ],
    output: (count, store) => {
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
    },
  };
}

/** Points 0, a, -a, b, infinity of the even phase, then the odd phase as it is. */
function halvingTransform(scheme: Scheme): Transform {
  const { a, b } = scheme;
  return {
    coefficients: { input: { a, minusA: -a, minusB: -b, minusA2: -a * a }, output: powers(scheme) },
    // Row by row the polynomials of the other points; all but b's are multiples of x - b: of e[i] = d[i+1] - b d[i].
    input: (d, store) => [
      `const ${range(4)
        .map((i) => `e${i} = ${madd(d[i]!, "minusB", d[i + 1]!)}`)
        .join(", ")};`,
      store(0, madd("e0", "minusA2", "e2")),
      store(1, madd("e1", "a", "e2")),
      store(2, madd("e1", "minusA", "e2")),
      store(3, madd(d[1]!, "minusA2", d[3]!)),
      store(4, madd("e1", "minusA2", "e3")),
    ],
    output: (count, store) => {
      const rows = [
        add(add("d0", "d5"), add("s", "d3")),
        madd("u", "a", madd("d3", "b", "d6")),
        madd("s", "a2", madd("d3", "b2", "d7")),
        madd("u", "a3", madd("d3", "b3", add("d4", "d8"))),
      ];
      return [
        `const s = ${add("d1", "d2")};`,
        ...(count > 1 ? [`const u = ${sub("d1", "d2")};`] : []),
        ...range(count).map((k) => store(k, rows[k]!)),
      ];
    },
  };
}

const TRANSFORMS: Readonly<Record<1 | 2, Transform>> = {
  1: unitTransform(SCHEMES[1]),
  2: halvingTransform(SCHEMES[2]),
};

/** All coefficients of a scheme in the order in which they lie in the file. */
function coefficientsOf({ stride }: Scheme): Map<string, number> {
  const { input, output } = TRANSFORMS[stride].coefficients;
  return new Map(Object.entries({ ...input, ...output }));
}

/** Bytes of the coefficients in front of G. */
export const matrixOffset = (scheme: Scheme): number => alignUp(4 * coefficientsOf(scheme).size, 16);

/** What the file of weights holds of a scheme: the coefficients in f32, then G in f64, row by row. */
export function schemeConstants(scheme: Scheme): Uint8Array {
  const g = Float64Array.from(scheme.matrices.g.flat());
  const file = new Uint8Array(alignUp(matrixOffset(scheme) + g.byteLength, 16));
  new Float32Array(file.buffer).set([...coefficientsOf(scheme).values()]);
  new Float64Array(file.buffer, matrixOffset(scheme)).set(g);
  return file;
}

/** Bytes of the scratch between the passes. */
export const scratchBytes = ({ points, mixed }: Scheme): number => 16 * points * Math.max(mixed, TILE);

/** Reads coefficients: V8 13 would put a vector together at every use of one that it knows (7 % of 32 x 32 x 16). */
function constants(scheme: Scheme, address: number, names: Readonly<Record<string, number>>): string {
  const all = [...coefficientsOf(scheme).keys()];
  const loads = Object.keys(names).map((k) => `${k} = v128.load32_splat(${address}, ${4 * all.indexOf(k)})`);
  return `const ${loads.join(", ")};`;
}

/** Loads d0, d1, .., `step` bytes apart, and transforms them. */
const pass = (count: number, from: string, step: number, lines: readonly string[]): string[] => [
  `const ${range(count)
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

interface SchemeUse {
  readonly scheme: Scheme;
  /** Address of the scheme's coefficients. */
  readonly coefficients: number;
  /** Address of the scratch. */
  readonly scratch: number;
}

/** Everything in bytes but `tiles`. */
export interface InputTransform extends SchemeUse {
  /** Tiles of a row. */
  readonly tiles: number;
  readonly xCol: number;
  readonly xRow: number;
  /** From one of the products to the next in V: tiles of a chunk times channels. */
  readonly product: number;
}

/** `name(x, v)`: B^T d B of a row of tiles. x: first pixel of the first tile; v: its place in V. */
export function inputTransform(name: string, g: InputTransform): string {
  const { points, mixed, stride } = g.scheme;
  const { input, coefficients } = TRANSFORMS[stride];
  const copies = range(points - mixed);
  const row = 16 * mixed;
  const scratch = String(g.scratch);
  /** All points of a column of inputs. */
  const column = (store: Store): string[] =>
    pass(points, "p", g.xRow, [
      ...input(
        range(mixed).map((i) => `d${stride * i}`),
        store,
      ),
      ...copies.map((i) => store(mixed + i, `d${2 * i + 1}`)),
    ]);
  const columns = column((k, value) => `v128.store(mid, ${value}${offset(row * k)});`);
  // What is not mixed across the columns is done after the first pass.
  const finished = column((k, value) => `v128.store(q, ${value}${offset(k * points * g.product)});`);
  const rows = pass(
    mixed,
    "mid",
    16,
    input(
      range(mixed).map((i) => `d${i}`),
      (k, value) => `v128.store(p, ${value}${offset(k * g.product)});`,
    ),
  );
  const oddColumns: [string, string, number][] = [
    ["p", `x + ${g.xCol}`, 2 * g.xCol],
    ["q", `v + ${mixed * g.product}`, g.product],
  ];
  return body(name, "x: usize, v: usize", [
    constants(g.scheme, g.coefficients, coefficients.input),
    `for (let tile = 0; tile < ${g.tiles}; tile++) {`,
    `  const end = x + ${g.xCol};`,
    "  do {",
    ...indent(
      indent([
        ...loop(mixed, [["mid", scratch, 16], ["p", "x", stride * g.xCol]], columns), // prettier-ignore
        ...(copies.length > 0 ? loop(copies.length, oddColumns, finished) : []),
        ...loop(points, [["mid", scratch, row], ["p", "v", points * g.product]], rows), // prettier-ignore
        "x += 16; v += 16;",
      ]),
    ),
    "  } while (x < end);",
    `  x += ${(stride * TILE - 1) * g.xCol};`,
    "}",
  ]);
}

/** Bytes but for counts. */
export interface OutputTransform extends SchemeUse {
  /** Pixels of a row of outputs, and how many of the four rows there are. */
  readonly width: number;
  readonly rows: number;
  readonly product: number;
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
  const { scheme, rCol, yCol } = g;
  const { output, coefficients } = TRANSFORMS[scheme.stride];
  const row = 16 * scheme.points;
  const scratch = String(g.scratch);
  const columns = pass(
    scheme.points,
    "p",
    scheme.points * g.product,
    output(g.rows, (k, value) => `v128.store(mid, ${value}${offset(row * k)});`),
  );
  const rows = (cols: number): string[] =>
    pass(
      scheme.points,
      "mid",
      16,
      output(cols, (k, value) => {
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
      ...loop(scheme.points, [["mid", scratch, 16], ["p", "m", g.product]], columns), // prettier-ignore
      "const shift = v128.load(bias);",
      ...loop(g.rows, [["mid", scratch, row], ["p", "y", g.yRow], ...residual], rows(cols)), // prettier-ignore
    ]),
    `  m += 16; y += 16; bias += ${g.panel};${rCol === null ? "" : " r += 16;"}`,
    "} while (y < end);",
  ];
  const full = Math.floor(g.width / TILE);
  const rest = g.width % TILE;
  const next = `y += ${(TILE - 1) * yCol};${rCol === null ? "" : ` r += ${(TILE - 1) * rCol};`}`;
  return body(name, `m: usize, y: usize, w: usize${rCol === null ? "" : ", r: usize"}`, [
    constants(scheme, g.coefficients, coefficients.output),
    ...(full > 0 ? [`for (let tile = 0; tile < ${full}; tile++) {`, ...indent([...tile(TILE), next]), "}"] : []),
    ...(rest > 0 ? ["{", ...indent(tile(rest)), "}"] : []),
  ]);
}
