/**
 * Text of the convolution tile: mr output pixels x 4*nv output channels held in registers.
 *
 * One generator gives both forms of the same sums, in the same order, so that host and device agree bit for bit:
 * with sizes as arguments (`assembly/kernels/tiles.ts`, for the host), and with sizes as constants, which WebAssembly
 * encodes inside the load instructions (for the device: an addition less for every load of the inner loop).
 *
 * Why it looks as it does (measured on x64, Node 20 to 24, Chromium): one step of the sum per loop iteration, since V8
 * spills when the loop is unrolled; activations by `load32_splat`, which costs no more than a plain load; the residual is
 * added when the accumulators start; weights in panels of 4 channels, so that tiles of every width read the same file.
 */

/** Everything in bytes but the counts. Names as in `assembly/kernels/conv.ts`. */
export interface TileGeometry {
  readonly xCol: number;
  readonly yCol: number;
  /** null: no residual. */
  readonly rCol: number | null;
  readonly panel: number;
  readonly seg: number;
  readonly nx: number;
  readonly xStep: number;
  readonly ny: number;
  readonly yStep: number;
  /** 0 none, 1 relu, 2 relu6. */
  readonly act: number;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const ACTIVATE = ["", "relu4", "relu6of4"];

/** The loops over segments around one step; sizes are numbers or names. */
function loops(g: { seg: string; nx: string; xStep: string; ny: string; yStep: string }, step: string[]): string[] {
  const constant = (s: string): number | null => (/^\d+$/.test(s) ? Number(s) : null);
  const [seg, nx, ny] = [constant(g.seg), constant(g.nx), constant(g.ny)];
  const indent = (lines: string[]): string[] => lines.map((l) => "  " + l);
  const inner =
    seg === 4
      ? [...step, "a += 4; q += 16;"]
      : [`const end = a + ${g.seg};`, "do {", ...indent([...step, "a += 4; q += 16;"]), "} while (a < end);"];
  const block = (lines: string[]): string[] => ["{", ...indent(lines), "}"];
  // What is left to advance after the inner loops have moved `a` themselves.
  const rest = (step: string, moved: string): string => {
    const s = constant(step),
      m = constant(moved);
    if (s === null || m === null) return `a += ${step} - ${moved};`;
    return s === m ? "" : s > m ? `a += ${s - m};` : `a -= ${m - s};`;
  };
  let body = inner;
  let movedBy = g.seg;
  if (nx !== 1) {
    const after = rest(g.xStep, g.seg);
    body = [`for (let kx = 0; kx < ${g.nx}; kx++) {`, ...indent([...inner, ...(after ? [after] : [])]), "}"];
    movedBy =
      nx !== null && constant(g.xStep) !== null ? String(nx * constant(g.xStep)!) : `<usize>${g.nx} * ${g.xStep}`;
  }
  if (ny === 1) return nx === 1 ? block(body) : body;
  const after = rest(g.yStep, movedBy);
  return [`for (let ky = 0; ky < ${g.ny}; ky++) {`, ...indent([...body, ...(after ? [after] : [])]), "}"];
}

type Stride = "xCol" | "yCol" | "rCol" | "panel";

/** Address and constant offset of `base` moved by `times` strides and `plus` bytes. */
type AddressOf = (base: string, stride: Stride, times: number, plus?: number) => readonly [string, number];

const argument = ([address, offset]: readonly [string, number]): string => (offset ? `${address}, ${offset}` : address);

function emitTile(
  name: string,
  mr: number,
  nv: number,
  parameters: string,
  prelude: string[],
  at: AddressOf,
  residual: "none" | "always" | "optional",
  sizes: { seg: string; nx: string; xStep: string; ny: string; yStep: string },
  act: string,
  exported: boolean,
): string {
  const lines: string[] = [...prelude];
  for (const v of range(nv)) lines.push(`let c0${v} = v128.load(${argument(at("w", "panel", v))});`);
  for (const r of range(mr).slice(1)) {
    lines.push(
      "let " +
        range(nv)
          .map((v) => `c${r}${v} = c0${v}`)
          .join(", ") +
        ";",
    );
  }
  if (residual !== "none") {
    const add = range(mr).flatMap((r) =>
      range(nv).map((v) => `c${r}${v} = f32x4.add(c${r}${v}, v128.load(${argument(at("rs", "rCol", r, 16 * v))}));`),
    );
    lines.push(...(residual === "optional" ? ["if (rs) {", ...add.map((l) => "  " + l), "}"] : add));
  }
  lines.push(
    `let x: v128, ${range(nv)
      .map((v) => `w${v}: v128`)
      .join(", ")};`,
    "let q = w + 16;",
  );
  const step: string[] = [
    range(nv)
      .map((v) => `w${v} = v128.load(${argument(at("q", "panel", v))});`)
      .join(" "),
  ];
  for (const r of range(mr)) {
    step.push(
      `x = v128.load32_splat(${argument(at("a", "xCol", r))}); ` +
        range(nv)
          .map((v) => `c${r}${v} = madd(x, w${v}, c${r}${v});`)
          .join(" "),
    );
  }
  lines.push(...loops(sizes, step));
  if (act === "act") {
    lines.push("if (act) {");
    for (const r of range(mr)) {
      lines.push(
        "  " +
          range(nv)
            .map((v) => `c${r}${v} = activate(c${r}${v}, act);`)
            .join(" "),
      );
    }
    lines.push("}");
  }
  for (const r of range(mr)) {
    for (const v of range(nv)) {
      const value = act === "act" || act === "" ? `c${r}${v}` : `${act}(c${r}${v})`;
      const [address, offset] = at("y", "yCol", r, 16 * v);
      lines.push(`v128.store(${address}, ${value}${offset ? `, ${offset}` : ""});`);
    }
  }
  return `${exported ? "export " : ""}function ${name}(${parameters}): void {\n${lines.map((l) => "  " + l).join("\n")}\n}\n`;
}

/** The tile with its sizes as arguments: `name(a, w, y, rs, xCol, yCol, rCol, panel, seg, nx, xStep, ny, yStep, act)`. */
export function genericTile(name: string, mr: number, nv: number): string {
  const prelude: string[] = [];
  const multiples = (stride: string, upTo: number): void => {
    for (let k = 2; k <= upTo; k++) prelude.push(`const ${stride}${k} = ${stride} * ${k};`);
  };
  multiples("xCol", mr - 1);
  multiples("yCol", mr - 1);
  multiples("rCol", mr - 1);
  multiples("panel", nv - 1);
  const at: AddressOf = (base, stride, times, plus = 0) => [
    times === 0 ? base : `${base} + ${stride}${times === 1 ? "" : times}`,
    plus,
  ];
  const parameters =
    "a: usize, w: usize, y: usize, rs: usize, xCol: usize, yCol: usize, rCol: usize, panel: usize, " +
    "seg: usize, nx: i32, xStep: usize, ny: i32, yStep: usize, act: i32";
  const sizes = { seg: "seg", nx: "nx", xStep: "xStep", ny: "ny", yStep: "yStep" };
  return emitTile(name, mr, nv, parameters, prelude, at, "optional", sizes, "act", true);
}

/** The tile for one geometry: `name(a, w, y)` or `name(a, w, y, rs)`. */
export function constantTile(name: string, mr: number, nv: number, g: TileGeometry): string {
  const at: AddressOf = (base, stride, times, plus = 0) => [base, times * (g[stride] ?? 0) + plus];
  const residual = g.rCol !== null;
  const parameters = `a: usize, w: usize, y: usize${residual ? ", rs: usize" : ""}`;
  const sizes = {
    seg: String(g.seg),
    nx: String(g.nx),
    xStep: String(g.xStep),
    ny: String(g.ny),
    yStep: String(g.yStep),
  };
  return emitTile(name, mr, nv, parameters, [], at, residual ? "always" : "none", sizes, ACTIVATE[g.act]!, false);
}

/** `assembly/kernels/tiles.ts`, whole. */
export function genericTilesFile(): string {
  const tiles: [number, number][] = [];
  for (const mr of [1, 2, 3, 4]) for (const nv of [1, 2, 3]) if (mr < 4 || nv < 3) tiles.push([mr, nv]);
  return [
    "/**",
    " * Written by scripts/generate-tiles.mjs from src/kernels/tile-source.ts; do not edit.",
    " *",
    " * Convolution tiles with sizes as arguments: tile<pixels>x<channels>; arguments and order of the sums: conv.ts.",
    " */",
    'import { activate, madd } from "./simd";',
    "",
    ...tiles.map(([mr, nv]) => genericTile(`tile${mr}x${nv * 4}`, mr, nv)),
  ].join("\n");
}
