/** AssemblyScript of convolutions and depthwise convolutions: loops over pixels and panels around constant tiles. */
import { depthwiseTile } from "../kernels/depthwise-source.js";
import { constantTile } from "../kernels/tile-source.js";
import { panelWidths, rowTiles, type Variant } from "../kernels/tiles.js";
import { panelsBytes } from "../kernels/weights.js";
import { convShape, convTile, depthwisePixels } from "./kernel-plan.js";
import { hasBorder, imageBytes, interiorBytes, rowBytes, type LaidOut } from "./layout.js";
import { Lines, type TileLibrary } from "./source-tiles.js";
import { ACTIVATION_CODE, type ConvStep, type DepthwiseStep } from "./steps.js";

export interface Place {
  readonly laid: LaidOut;
  readonly variant: Variant;
  readonly tiles: TileLibrary;
  /** Address of a tensor's first real pixel. */
  at(tensor: string): number;
}

const step = (name: string, bytes: number): string => (bytes === 0 ? "" : `${name} += ${bytes};`);

export function convBody(s: ConvStep, weights: number, place: Place): string {
  const { laid, tiles, variant } = place;
  const y = laid.layouts.get(s.y)!;
  const r = s.residual === null ? null : laid.layouts.get(s.residual)!;
  const g = convShape(s, laid);
  const n = s.co / s.groups;
  const { mr, nr } = convTile(s, laid, variant);
  const panel = panelsBytes(4, g.k);
  const widths = panelWidths(n, nr);
  const full = widths.filter((w) => w === nr).length;
  const tail = widths.length > full ? widths.at(-1) : 0;
  const geometry = {
    xCol: g.xCol,
    yCol: y.cs * 4,
    rCol: r ? r.cs * 4 : null,
    panel,
    seg: g.seg,
    nx: g.nx,
    xStep: g.xStep,
    ny: g.ny,
    yStep: g.yStep,
    act: ACTIVATION_CODE[s.act],
  };
  const tile = (rows: number, width: number): string =>
    tiles.add(`conv${rows}x${width}`, (name) => constantTile(name, rows, width / 4, geometry));

  const out = new Lines();
  const operands = r ? ["a", "y", "r"] : ["a", "y"];
  const moved = (a: number, yBytes: number, rBytes: number): string =>
    [step("a", a), step("y", yBytes), r ? step("r", rBytes) : ""].filter(Boolean).join(" ");
  out.add(
    `let a: usize = ${place.at(s.x) + g.xStart}, y: usize = ${place.at(s.y)}` +
      `${r ? `, r: usize = ${place.at(s.residual!)}` : ""};`,
  );
  if (s.groups > 1) out.add(`let w: usize = ${weights};`);
  const w0 = s.groups > 1 ? "w" : String(weights);

  // Inside a row of pixels, `p`, `q` and `s` are the tile's x, y and residual.
  const pixels = (): void => {
    for (const [rows, count] of rowTiles(g.cols, mr)) {
      out.repeat(count, "j", () => {
        if (full > 1) {
          out.block(
            `for (let v: usize = ${w0}, c: usize = 0; c < ${full * nr * 4}; v += ${(panel * nr) / 4}, c += ${nr * 4})`,
            () => out.add(`${tile(rows, nr)}(p, v, q + c${r ? ", s + c" : ""});`),
          );
        } else if (full === 1) {
          out.add(`${tile(rows, nr)}(p, ${w0}, q${r ? ", s" : ""});`);
        }
        if (tail > 0) {
          const skip = full * nr * 4;
          const at = (name: string): string => (skip === 0 ? name : `${name} + ${skip}`);
          const w = s.groups > 1 ? `w + ${(full * panel * nr) / 4}` : String(weights + (full * panel * nr) / 4);
          out.add(`${tile(rows, tail)}(p, ${w}, ${at("q")}${r ? `, ${at("s")}` : ""});`);
        }
        out.add(`p += ${rows * g.xCol}; q += ${rows * y.cs * 4};${r ? ` s += ${rows * r.cs * 4};` : ""}`);
      });
    }
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
  const grouped = (): void => {
    if (s.groups === 1) return image();
    out.add(`const ${operands.map((o) => `${o}0 = ${o}`).join(", ")};`);
    out.repeat(s.groups, "g", () => {
      image();
      const next = (g_: string): string =>
        `a = a0 + ${g_} * ${s.ci * 4}; y = y0 + ${g_} * ${n * 4};${r ? ` r = r0 + ${g_} * ${n * 4};` : ""}`;
      out.add(next("<usize>(g + 1)"), `w += ${panelsBytes(n, g.k)};`);
    });
    out.add(operands.map((o) => `${o} = ${o}0;`).join(" "), `w = ${weights};`);
  };
  if (g.images === 1) {
    grouped();
  } else {
    out.repeat(g.images, "image", () => {
      out.add(`const ${operands.map((o) => `${o}Image = ${o}`).join(", ")};`);
      grouped();
      out.add(`a = aImage + ${g.xImage}; y = yImage + ${imageBytes(y)};${r ? ` r = rImage + ${imageBytes(r)};` : ""}`);
    });
  }
  return out.toString();
}

export function depthwiseBody(s: DepthwiseStep, weights: number, place: Place): string {
  const { laid, tiles } = place;
  const x = laid.layouts.get(s.x)!,
    y = laid.layouts.get(s.y)!;
  const [kh, kw] = s.kernel;
  const pixel = x.cs * 4;
  const geometry = {
    channels: y.cs * 4,
    xCol: s.strides[1] * pixel,
    yCol: y.cs * 4,
    kh,
    kw,
    kyStep: s.dilations[0] * rowBytes(x),
    kxStep: s.dilations[1] * pixel,
    act: ACTIVATION_CODE[s.act],
  };
  const out = new Lines();
  const start = place.at(s.x) - s.pads[0] * rowBytes(x) - s.pads[1] * pixel;
  out.add(`let a: usize = ${start}, y: usize = ${place.at(s.y)};`);
  const image = (): void => {
    out.repeat(y.h, "i", () => {
      out.block("", () => {
        out.add("let p = a, q = y;");
        for (const [pixels, count] of rowTiles(y.w, depthwisePixels(s))) {
          const name = tiles.add(`depthwise${pixels}`, (n) => depthwiseTile(n, pixels, geometry));
          out.repeat(count, "j", () => {
            out.add(`${name}(p, ${weights}, q);`, `p += ${pixels * geometry.xCol}; q += ${pixels * geometry.yCol};`);
          });
        }
      });
      if (y.h > 1) out.add(`a += ${s.strides[0] * rowBytes(x)}; y += ${rowBytes(y)};`);
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
