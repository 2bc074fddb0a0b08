/**
 * What the emitted code does, counted: for every step of a network how often each piece of each kernel runs. Times are
 * these counts at what a device takes for each of them (`latency.ts`); a calibration finds that out.
 *
 * The counts come from the emitter's own decisions (fusion, layouts, register tiles, blocks, Winograd's method), so a
 * prediction cannot disagree with what is emitted.
 */
import { convParts, convShape, convTiles } from "../emit/kernel-plan.js";
import { tensorBytes, type LaidOut, type TensorLayout } from "../emit/layout.js";
import { movedBytes } from "../emit/moved-bytes.js";
import { moveLoops } from "../emit/regions.js";
import { isWinograd, type WinogradStep } from "../emit/source-winograd.js";
import { stepInputs, stepScratch, type ConvStep, type DepthwiseStep, type Step } from "../emit/steps.js";
import { depthwisePixels } from "../kernels/depthwise-source.js";
import { panelWidths, planRows, rowTiles, type Variant } from "../kernels/tiles.js";
import { transformedBytes } from "../kernels/winograd.js";
import { sizeOf } from "../model/types.js";

/** How often each piece runs, by its name. */
export type Work = Readonly<Record<string, number>>;

/** One step of the emitted code. */
export interface StepWork {
  /** Name of the step, and of the source nodes that are computed in it. */
  readonly name: string;
  readonly nodes: readonly string[];
  readonly family: WorkFamily;
  readonly counts: Work;
  /** Bytes of weights that the step reads. */
  readonly weightBytes: number;
  /** Bytes of its operands and results. */
  readonly tensorBytes: number;
}

export type WorkFamily = "conv" | "winograd" | "pointwise" | "depthwise" | "dense" | "memory";

class Counter {
  readonly counts: Record<string, number> = {};

  add(name: string, n: number): this {
    if (n > 0) this.counts[name] = (this.counts[name] ?? 0) + n;
    return this;
  }
}

/**
 * Sizes at which a device's caches may end. Data that is met again only after more than so many bytes comes from beyond;
 * what each further byte then costs is the device's to say. Between half and twice the size the share grows evenly in
 * the logarithm, since caches are shared with what else is in use.
 */
export const CACHE_KNOTS = [24 * 1024, 384 * 1024, 1536 * 1024, 8 * 1024 * 1024] as const;

/** Share of the data that comes from beyond `knot` bytes of cache when `distance` bytes lie between two uses. */
export function beyond(distance: number, knot: number): number {
  if (distance <= 0) return 0;
  return Math.min(1, Math.max(0, (Math.log2(distance / knot) + 1) / 2));
}

function addBeyond(into: Counter, name: string, bytes: number, distance: number): void {
  CACHE_KNOTS.forEach((knot, i) => into.add(`${name}.${i}`, bytes * beyond(distance, knot)));
}

const ceil4 = (n: number): number => Math.ceil(n / 4) * 4;

/** Sums over windows by register tiles. */
function convWork(step: ConvStep, laid: LaidOut, variant: Variant, into: Counter): number {
  const g = convShape(step, laid);
  const parts = convParts(step, laid, variant);
  const n = step.co / parts.count;
  const rows = g.images * g.rows * parts.count;
  // A segment of one word is a loop of one step: its ends cost as much as anywhere.
  const segments = g.nx * g.ny - 1;
  let groups = 0;
  for (const tile of convTiles(step, laid, variant)) {
    for (const width of panelWidths(n, tile.nr)) {
      const calls = rows * tile.count;
      into.add(`tile.${tile.rows}x${width}`, calls * g.k);
      into.add("tile.call", calls);
      into.add("tile.vector", (calls * tile.rows * width) / 4);
      if (step.residual !== null) into.add("tile.residual", (calls * tile.rows * width) / 4);
      into.add("tile.segment", calls * segments);
    }
    groups += rows * tile.count;
  }
  into.add("row", rows);
  const weights = ceil4(n) * (g.k + 1) * 4;
  // Every group of pixels reads all weights of its part again.
  const again = weights * Math.max(0, groups - parts.count);
  addBeyond(into, "again", again, weights);
  return weights * parts.count;
}

/** By Winograd's method: transforms of tiles, four channels at a time, around products in the tiles of any convolution. */
function winogradWork(step: WinogradStep, laid: LaidOut, variant: Variant, into: Counter): number {
  const x = laid.layouts.get(step.x)!;
  const y = laid.layouts.get(step.y)!;
  const { scheme, chunks } = step.winograd;
  const { rows, columns, chunkRows } = chunks;
  const transforms = scheme.stride === 1 ? "winograd" : "winograd.halved";
  into.add(`${transforms}.input`, (y.n * rows * columns * x.cs) / 4);
  into.add(`${transforms}.output`, (y.n * rows * columns * y.cs) / 4);
  if (step.residual !== null) into.add("tile.residual", (y.n * y.h * y.w * y.cs) / 4);
  const weights = transformedBytes(scheme, x.cs, step.co);
  let passes = 0;
  for (const [tileRows, count] of rowTiles(rows, chunkRows)) {
    const products = y.n * count * scheme.products;
    passes += y.n * count;
    for (const tile of planRows(tileRows * columns, step.co, variant)) {
      for (const width of panelWidths(step.co, tile.nr)) {
        const calls = products * tile.count;
        into.add(`tile.${tile.rows}x${width}`, calls * x.cs).add("tile.call", calls);
        into.add("tile.vector", (calls * tile.rows * width) / 4);
      }
    }
  }
  into.add("row", y.n * rows);
  // What the transforms write and the products read lies between two passes over the weights.
  const { vProduct, mProduct } = chunks;
  addBeyond(into, "again", weights * (passes - 1), weights + scheme.products * (vProduct + mProduct));
  return weights;
}

function depthwiseWork(step: DepthwiseStep, laid: LaidOut, variant: Variant, into: Counter): number {
  const y = laid.layouts.get(step.y)!;
  const [kh, kw] = step.kernel;
  const vectors = y.cs / 4;
  const rows = y.n * y.h;
  for (const [pixels, count] of rowTiles(y.w, depthwisePixels(kw, variant))) {
    const calls = rows * count;
    // Columns of the image that the tile's pixels see together: each is loaded once for a row of taps.
    const step1 = step.strides[1] / step.dilations[1];
    const columns = Number.isInteger(step1) && step1 < kw ? (pixels - 1) * step1 + kw : pixels * kw;
    into.add("depthwise.call", calls);
    into.add("depthwise.vector", calls * vectors * pixels);
    into.add("depthwise.turn", calls * vectors * kh);
    into.add("depthwise.load", calls * vectors * kh * (columns + kw));
    // Weights of wider rows of taps do not all stay in registers.
    into.add(kw > 3 ? "depthwise.wide" : "depthwise.sum", calls * vectors * kh * kw * pixels);
  }
  into.add("row", rows);
  const weights = vectors * (kh * kw + 1) * 16;
  addBeyond(into, "again", weights * (rows - 1), weights);
  return weights;
}

/** Vectors of 4 floats in a tensor. */
const vectors = (l: TensorLayout): number => (l.n * l.h * l.w * l.cs) / 4;

/** Everything without weights of its own layout. */
function plainWork(step: Step, laid: LaidOut, into: Counter): number {
  const { layouts } = laid;
  const y = layouts.get(step.y)!;
  switch (step.kind) {
    case "pool":
      into.add(`pool.${step.mode}`, vectors(y) * step.kernel[0] * step.kernel[1]).add("pool.vector", vectors(y));
      return 0;
    case "unary":
      into.add(step.op === "sigmoid" ? "sigmoid" : "unary", vectors(y)).add("row", y.h);
      return 0;
    case "binary":
      into.add("binary", vectors(y)).add("row", y.n * y.h);
      return "values" in step.b ? step.b.values.length * 4 : 0;
    case "reduce":
      into.add(step.axes.length === 2 ? "reduce" : "reduce.strided", vectors(layouts.get(step.x)!));
      return 0;
    case "softmax":
      into.add("softmax", sizeOf(y.shape)).add("softmax.row", sizeOf(y.shape) / y.shape[step.axis]!);
      return 0;
    case "move": {
      const loops = moveLoops(step, layouts.get(step.x)!, y);
      const last = loops.at(-1);
      const all = loops.reduce((n, l) => n * l.count, 1);
      if (last && last.count >= 4 && last.strides.every((s) => s === 4))
        into.add("move.run", all / last.count).add("move.float", all);
      else into.add("move.single", all);
      return 0;
    }
    case "fill":
      into.add("move.run", y.n * y.h).add("move.float", sizeOf(y.shape));
      return 0;
    default: {
      const { read, written } = movedBytes(step, laid, 0);
      into.add("other.byte", read + written).add("other.mac", step.macs);
      return 0;
    }
  }
}

function familyOf(step: Step, laid: LaidOut, variant: Variant): WorkFamily {
  if (step.kind === "depthwise") return "depthwise";
  if (step.kind !== "conv") return "memory";
  if (isWinograd(step, variant)) return "winograd";
  const y = laid.layouts.get(step.y)!;
  if (y.n * y.h * y.w === 1) return "dense";
  return step.kernel[0] === 1 && step.kernel[1] === 1 ? "pointwise" : "conv";
}

/** Counts of every step that becomes code, in the order in which it runs. */
export function workOf(laid: LaidOut, variant: Variant): StepWork[] {
  return laid.steps.flatMap((step): StepWork[] => {
    if (step.kind === "alias") return [];
    const into = new Counter();
    into.add("layer", 1);
    let weightBytes = 0;
    if (step.kind === "conv")
      weightBytes = isWinograd(step, variant)
        ? winogradWork(step, laid, variant, into)
        : convWork(step, laid, variant, into);
    else if (step.kind === "depthwise") weightBytes = depthwiseWork(step, laid, variant, into);
    else weightBytes = plainWork(step, laid, into);
    const tensors = [...new Set([...stepInputs(step), step.y, ...stepScratch(step)])];
    const bytes = tensors.reduce((sum, t) => sum + tensorBytes(laid.layouts.get(t)!), 0);
    // Arithmetic hides what comes from far better than a kernel that only moves can.
    addBeyond(into, familyOf(step, laid, variant) === "memory" ? "moved" : "tensor", bytes, bytes + weightBytes);
    return [
      {
        name: step.name,
        nodes: step.nodes,
        family: familyOf(step, laid, variant),
        counts: into.counts,
        weightBytes,
        tensorBytes: bytes,
      },
    ];
  });
}

/**
 * What steps cost more in a row than again and again by themselves: their weights come from as far as all that lies
 * between two runs.
 * @param steps what runs in turn
 */
export function coldWork(steps: readonly StepWork[]): Work[] {
  const distance = steps.reduce((n, s) => n + s.weightBytes, 0) + Math.max(0, ...steps.map((s) => s.tensorBytes));
  return steps.map(({ weightBytes, family }) => {
    const into = new Counter();
    into.add("cold", 1);
    // Those of Winograd's method are 36 matrices, read side by side.
    addBeyond(into, family === "winograd" ? "transformed" : "weight", weightBytes, distance);
    return into.counts;
  });
}

/** The inputs' bytes into the module and the outputs' out of it, as the glue copies them. */
export function interfaceWork(laid: LaidOut): Work {
  const ports = [...laid.inputs, ...laid.outputs];
  return { run: 1, "port.call": ports.length, "port.byte": ports.reduce((n, p) => n + 4 * sizeOf(p.shape), 0) };
}
