/** AssemblyScript of a convolution by Winograd's method: transform a chunk of tile rows, multiply, transform back. */
import { constantTile } from "../kernels/tile-source.js";
import { planRows, rowTiles, type TileRows, type Variant } from "../kernels/tiles.js";
import { panelsBytes } from "../kernels/weights.js";
import { TILE } from "../kernels/winograd.js";
import { inputTransform, matrixOffset, outputTransform } from "../kernels/winograd-source.js";
import { imageBytes, rowBytes, type LaidOut } from "./layout.js";
import type { MemoryPlan } from "./memory-plan.js";
import { pixelTiles, type Place } from "./source-conv.js";
import { Lines } from "./source-tiles.js";
import { ACTIVATION_CODE, type ConvStep, type WinogradUse } from "./steps.js";
import { storedChannels } from "./winograd.js";
import type { WeightsPlan } from "./weights-plan.js";

export type WinogradStep = ConvStep & { readonly winograd: WinogradUse };

/** Whether this build of the step takes Winograd's method; the scalar one does where `simd` does, since it gives its bits. */
export function isWinograd(step: ConvStep, variant: Variant): step is WinogradStep {
  return step.winograd?.variants.includes(variant === "scalar" ? "simd" : variant) ?? false;
}

/** Register tiles of the products of a full chunk. */
export function winogradTiles({ co, winograd }: WinogradStep, variant: Variant): readonly TileRows[] {
  return planRows(winograd.chunks.chunkRows * winograd.chunks.columns, co, variant);
}

/** @param weights address of the 3x3 weights (for the bias), @param transformed of what `setup` made of them */
export function winogradBody(s: WinogradStep, weights: number, transformed: number, place: Place): string {
  const { laid, tiles, variant } = place;
  const x = laid.layouts.get(s.x)!;
  const y = laid.layouts.get(s.y)!;
  const r = s.residual === null ? null : laid.layouts.get(s.residual)!;
  const { scheme } = s.winograd;
  const { columns, rows, chunkRows, vProduct, mProduct } = s.winograd.chunks;
  const v = place.at(s.winograd.scratch);
  const m = v + scheme.products * vProduct;
  const use = { scheme, coefficients: place.coefficients(scheme), scratch: place.passes };
  const [xPixel, yPixel] = [x.cs * 4, y.cs * 4];

  const input = tiles.add("winogradInput", (name) =>
    inputTransform(name, { ...use, tiles: columns, xCol: xPixel, xRow: rowBytes(x), product: vProduct }),
  );
  const products = (tileRows: number): string =>
    tiles.add("winogradProducts", (name) => productsText(name, tileRows * columns));
  const productsText = (name: string, pixels: number): string => {
    const panel = panelsBytes(4, x.cs);
    const sums = { xCol: xPixel, yCol: yPixel, rCol: null, panel };
    const once = { seg: xPixel, nx: 1, xStep: 0, ny: 1, yStep: 0, act: 0 };
    const text = new Lines();
    text.repeat(scheme.products, "f", () => {
      text.add("let p = v, q = m;");
      pixelTiles(text, {
        ...sums,
        ...{ rows: planRows(pixels, s.co, variant), n: s.co },
        weights: (skip) => (skip === 0 ? "w" : `w + ${skip}`),
        tile: (count, width) =>
          tiles.add(`conv${count}x${width}`, (n) => constantTile(n, count, width / 4, { ...sums, ...once })),
      });
      text.add(`v += ${vProduct}; m += ${mProduct}; w += ${panelsBytes(s.co, x.cs)};`);
    });
    return `function ${name}(w: usize, v: usize, m: usize): void {\n${text.toString()}\n}\n`;
  };
  const output = (inside: number): string =>
    tiles.add("winogradOutput", (name) =>
      outputTransform(name, {
        ...use,
        ...{ width: y.w, rows: inside, product: mProduct },
        ...{ panel: panelsBytes(4, 9 * storedChannels(s, x)), yCol: yPixel, yRow: rowBytes(y) },
        ...{ rCol: r ? r.cs * 4 : null, rRow: r ? rowBytes(r) : 0, act: ACTIVATION_CODE[s.act] },
      }),
    );

  const out = new Lines();
  const forth = `y += ${TILE * rowBytes(y)};${r ? ` r += ${TILE * rowBytes(r)};` : ""}`;
  /** A chunk of tile rows, of which the last has `inside` rows of pixels. */
  const chunk = (tileRows: number, inside: number): void => {
    out.add(`let v: usize = ${v};`);
    out.repeat(tileRows, "i", () => {
      out.add(`${input}(a, v);`, `a += ${scheme.stride * TILE * rowBytes(x)}; v += ${columns * xPixel};`);
    });
    out.add(`let m: usize = ${m};`, `${products(tileRows)}(${transformed}, ${v}, m);`);
    const back = (count: number, rowsInside: number): void => {
      out.repeat(count, "i", () => {
        out.add(`${output(rowsInside)}(m, y, ${weights}${r ? ", r" : ""});`, `m += ${columns * yPixel}; ${forth}`);
      });
    };
    if (inside === TILE) return back(tileRows, TILE);
    if (tileRows > 1) back(tileRows - 1, TILE);
    back(1, inside);
  };
  const xStart = -(s.pads[0] * rowBytes(x) + s.pads[1] * xPixel);
  const last = y.h - TILE * (rows - 1);
  const image = (): void => {
    const sizes = rowTiles(rows, chunkRows);
    sizes.forEach(([tileRows, count], k) => {
      const partial = k === sizes.length - 1 && last < TILE;
      const whole = count - (partial ? 1 : 0);
      if (whole > 0) {
        out.repeat(whole, "chunk", () => out.block("", () => chunk(tileRows, TILE)));
      }
      if (partial) out.block("", () => chunk(tileRows, last));
    });
  };
  out.add(
    `let a: usize = ${place.at(s.x) + xStart}, y: usize = ${place.at(s.y)}` +
      `${r ? `, r: usize = ${place.at(s.residual!)}` : ""};`,
  );
  if (y.n === 1) {
    image();
  } else {
    out.repeat(y.n, "image", () => {
      out.add(`const aImage = a, yImage = y${r ? ", rImage = r" : ""};`);
      image();
      out.add(
        `a = aImage + ${imageBytes(x)}; y = yImage + ${imageBytes(y)};${r ? ` r = rImage + ${imageBytes(r)};` : ""}`,
      );
    });
  }
  return out.toString();
}

/** What `setup` must do before the first run: one call for each set of weights that a layer of this build reads. */
export function setupCalls(laid: LaidOut, weights: WeightsPlan, memory: MemoryPlan, variant: Variant): string[] {
  const calls = new Map<string, string[]>();
  laid.steps.forEach((step, i) => {
    if (step.kind !== "conv" || !isWinograd(step, variant)) return;
    const from = memory.weightsOffset + weights.chunks.get(i)!.offset;
    const to = memory.transformedOffset + weights.transformed.get(i)!.offset;
    const x = laid.layouts.get(step.x)!;
    const { scheme } = step.winograd;
    const matrix = memory.weightsOffset + weights.schemes.get(scheme.stride)!.offset + matrixOffset(scheme);
    const sizes = `${Math.ceil(step.co / 4)}, ${storedChannels(step, x)}, ${x.cs}`;
    const call = `winograd_weights(${from}, ${to}, ${sizes}, ${matrix}, ${scheme.points});`;
    calls.set(call, [...(calls.get(call) ?? []), step.name]);
  });
  return [...calls].map(([call, names]) => `${call} // ${names.join(", ").replace(/\s+/g, " ")}`);
}
