/** AssemblyScript of convolutions and depthwise convolutions: loops over pixels and panels around constant tiles. */
import { depthwisePixels, depthwiseTile } from "../kernels/depthwise-source.js";
import { constantTile } from "../kernels/tile-source.js";
import { panelWidths, rowTiles, type TileRows, type Variant } from "../kernels/tiles.js";
import { panelsBytes } from "../kernels/weights.js";
import type { Scheme } from "../kernels/winograd.js";
import { convParts, convShape, convTiles, tileGeometry } from "./kernel-plan.js";
import { hasBorder, imageBytes, interiorBytes, pixelBytes, rowBytes, type LaidOut } from "./layout.js";
import { Lines, type TileLibrary } from "./source-tiles.js";
import { ACTIVATION_CODE, ROW_ACTIVATIONS, type ConvStep, type DepthwiseStep } from "./steps.js";

export interface Place {
  readonly laid: LaidOut;
  readonly variant: Variant;
  readonly tiles: TileLibrary;
  /** Address of a tensor's first real pixel. */
  at(tensor: string): number;
  /** Addresses of the vectors between the passes of a transform (Winograd), and of a scheme's coefficients. */
  readonly passes: number;
  readonly coefficients: (scheme: Scheme) => number;
}

const step = (name: string, bytes: number): string => (bytes === 0 ? "" : `${name} += ${bytes};`);

export interface PixelTiles {
  /** What covers the row of pixels. */
  readonly rows: readonly TileRows[];
  /** Output channels. */
  readonly n: number;
  readonly xCol: number;
  readonly yCol: number;
  readonly rCol: number | null;
  readonly panel: number;
  /** Address of the weights after `skip` bytes. */
  weights(skip: number): string;
  /** Name of the tile of this many pixels and channels. */
  tile(rows: number, width: number): string;
  /** Function that goes over what a row of tiles has stored. */
  readonly over?: string;
}

/** All channels of a row of pixels by tiles; `p`, `q` and `s` are the tile's x, y and residual, and move along. */
export function pixelTiles(out: Lines, g: PixelTiles): void {
  const { panel, rCol, tile } = g;
  const r = rCol !== null;
  for (const { rows, count, nr } of g.rows) {
    const widths = panelWidths(g.n, nr);
    const full = widths.filter((w) => w === nr).length;
    const tail = widths.length > full ? widths.at(-1) : 0;
    out.repeat(count, "j", () => {
      if (full > 1) {
        out.block(
          `for (let v: usize = ${g.weights(0)}, c: usize = 0; c < ${full * nr * 4}; v += ${(panel * nr) / 4}, c += ${nr * 4})`,
          () => out.add(`${tile(rows, nr)}(p, v, q + c${r ? ", s + c" : ""});`),
        );
      } else if (full === 1) {
        out.add(`${tile(rows, nr)}(p, ${g.weights(0)}, q${r ? ", s" : ""});`);
      }
      if (tail > 0) {
        const skip = full * nr * 4;
        const at = (name: string): string => (skip === 0 ? name : `${name} + ${skip}`);
        const w = g.weights((full * panel * nr) / 4);
        out.add(`${tile(rows, tail)}(p, ${w}, ${at("q")}${r ? `, ${at("s")}` : ""});`);
      }
      if (g.over) out.add(`${g.over}(q, q, ${rows}, ${Math.ceil(g.n / 4) * 4}, ${g.yCol}, ${g.yCol});`);
      out.add(`p += ${rows * g.xCol}; q += ${rows * g.yCol};${r ? ` s += ${rows * rCol};` : ""}`);
    });
  }
}

/** `call` notes a kernel function as used and returns its name. */
export function convBody(
  s: ConvStep,
  weights: number,
  place: Place,
  call: (file: string, name: string) => string,
): string {
  const { laid, tiles, variant } = place;
  const y = laid.layouts.get(s.y)!;
  const r = s.residual === null ? null : laid.layouts.get(s.residual)!;
  const g = convShape(s, laid);
  const parts = convParts(s, laid, variant);
  const n = s.co / parts.count;
  const geometry = tileGeometry(s, laid);
  const tile = (rows: number, width: number): string =>
    tiles.add(`conv${rows}x${width}`, (name) => constantTile(name, rows, width / 4, geometry));

  const over = ROW_ACTIVATIONS[s.act];

  const out = new Lines();
  const operands = r ? ["a", "y", "r"] : ["a", "y"];
  const moved = (a: number, yBytes: number, rBytes: number): string =>
    [step("a", a), step("y", yBytes), r ? step("r", rBytes) : ""].filter(Boolean).join(" ");
  out.add(
    `let a: usize = ${place.at(s.x) + g.xStart}, y: usize = ${place.at(s.y)}` +
      `${r ? `, r: usize = ${place.at(s.residual!)}` : ""};`,
  );
  if (parts.count > 1) out.add(`let w: usize = ${weights};`);

  const pixels = (): void => {
    pixelTiles(out, {
      rows: convTiles(s, laid, variant),
      n,
      ...geometry,
      weights: (skip) => (parts.count === 1 ? String(weights + skip) : skip === 0 ? "w" : `w + ${skip}`),
      tile,
      ...(over && { over: call("gelu", over) }),
    });
  };
  const image = (): void => {
    out.repeat(g.rows, "i", () => {
      out.block("", () => {
        out.add(`let p = a, q = y${r ? ", s = r" : ""};`);
        pixels();
      });
      if (g.rows > 1) out.add(moved(g.xRow, rowBytes(y), r ? rowBytes(r) : 0));
    });
  };
  const inParts = (): void => {
    if (parts.count === 1) return image();
    out.add(`const ${operands.map((o) => `${o}0 = ${o}`).join(", ")};`);
    out.repeat(parts.count, "g", () => {
      image();
      const next = (o: string, bytes: number): string =>
        `${o} = ${o}0${bytes > 0 ? ` + <usize>(g + 1) * ${bytes}` : ""};`;
      out.add(
        next("a", parts.inputBytes),
        `${next("y", n * 4)}${r ? ` ${next("r", n * 4)}` : ""} w += ${panelsBytes(n, g.k)};`,
      );
    });
    out.add(operands.map((o) => `${o} = ${o}0;`).join(" "), `w = ${weights};`);
  };
  if (g.images === 1) {
    inParts();
  } else {
    out.repeat(g.images, "image", () => {
      out.add(`const ${operands.map((o) => `${o}Image = ${o}`).join(", ")};`);
      inParts();
      out.add(`a = aImage + ${g.xImage}; y = yImage + ${imageBytes(y)};${r ? ` r = rImage + ${imageBytes(r)};` : ""}`);
    });
  }
  return out.toString();
}

export function depthwiseBody(s: DepthwiseStep, weights: number, place: Place): string {
  const { laid, tiles, variant } = place;
  const x = laid.layouts.get(s.x)!,
    y = laid.layouts.get(s.y)!;
  const pixel = x.cs * 4;
  // A column of pixels goes as a row: the same taps in the same order, since the window is as narrow as the image.
  const tall = y.w === 1 && s.kernel[1] === 1;
  const [kh, kw] = tall ? [1, s.kernel[0]] : s.kernel;
  const steps = [s.dilations[0] * rowBytes(x), s.dilations[1] * pixel] as const;
  const geometry = {
    channels: y.cs * 4,
    xCol: tall ? s.strides[0] * rowBytes(x) : s.strides[1] * pixel,
    yCol: pixelBytes(y),
    kh,
    kw,
    kyStep: steps[tall ? 1 : 0],
    kxStep: steps[tall ? 0 : 1],
    act: ACTIVATION_CODE[s.act],
  };
  const [rows, cols] = tall ? [1, y.h] : [y.h, y.w];
  const out = new Lines();
  const start = place.at(s.x) - s.pads[0] * rowBytes(x) - s.pads[1] * pixel;
  out.add(`let a: usize = ${start}, y: usize = ${place.at(s.y)};`);
  const image = (): void => {
    out.repeat(rows, "i", () => {
      out.block("", () => {
        out.add("let p = a, q = y;");
        for (const [pixels, count] of rowTiles(cols, depthwisePixels(kw, variant))) {
          const name = tiles.add(`depthwise${pixels}`, (n) => depthwiseTile(n, pixels, geometry));
          out.repeat(count, "j", () => {
            out.add(`${name}(p, ${weights}, q);`, `p += ${pixels * geometry.xCol}; q += ${pixels * geometry.yCol};`);
          });
        }
      });
      if (rows > 1) out.add(`a += ${s.strides[0] * rowBytes(x)}; y += ${rowBytes(y)};`);
    });
  };
  if (y.n === 1) {
    image();
  } else {
    out.repeat(y.n, "image", () => {
      out.add("const aImage = a, yImage = y;");
      image();
      out.add(`a = aImage + ${imageBytes(x)}; y = yImage + ${imageBytes(y)};`);
    });
  }
  return out.toString();
}

/** Whether a tensor has real pixels away from the start of its buffer. */
export function interiorAddress(laid: LaidOut, tensor: string, buffer: number): number {
  const layout = laid.layouts.get(tensor)!;
  return hasBorder(layout) ? buffer + interiorBytes(layout) : buffer;
}
