/** What an operator's lowering sees: where its tensors lie, scratch memory, and the list that takes its kernel calls. */
import { invariant } from "../../model/errors.js";
import { sizeOf, type Dtype, type Shape, type TensorData } from "../../model/types.js";
import type { Step } from "../fuse.js";
import { paddedLayout, place, type Halo, type Layout, type View } from "../layout.js";
import { pad4, type Call } from "../plan.js";
import { copyStrided } from "../../kernels/strided.js";

export interface LowerContext {
  view(tensor: string): View;
  dtype(tensor: string): Dtype;
  /** Values of a constant that never changes, else null. */
  constant(tensor: string): TensorData | null;
  /** Address of a table of constants. */
  table(data: Float32Array | Int32Array): number;
  /** Scratch memory for this step alone. */
  temp(bytes: number): number;
  call(...call: Call): void;
  /**
   * Memory filled by `fill` from the given tensors alone: once before all passes when they are fixed constants, else now.
   */
  packed(
    key: string,
    bytes: number,
    sources: readonly string[],
    fill: (address: number, call: (...c: Call) => void) => void,
  ): number;
}

export type Lowering = (step: Step, ctx: LowerContext) => void;

/** Pixels of channels: images, or any tensor as one row of its last axis. Distances in bytes, sizes in elements. */
export interface Pixels {
  readonly address: number;
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly image: number;
  readonly row: number;
  readonly pixel: number;
  /** Channels that count, and with the padding to a multiple of four. */
  readonly real: number;
  readonly channels: number;
}

/** The pixels of a view whose rows of channels are padded; null for a plain one with gaps missing between pixels. */
function pixelsOf({ shape, strides, address, plain, halo }: View): Pixels | null {
  const rank = shape.length;
  const real = shape[rank - 1] ?? 1;
  const channels = pad4(real);
  const pixel = 4 * channels;
  const count = sizeOf(shape) / real;
  if (plain && real !== channels && count > 1) return null;
  if (rank === 4) {
    const [n, h, w] = shape as [number, number, number, number];
    const [image, row] = plain ? [h * w * pixel, w * pixel] : (strides as [number, number]);
    return { address, n, h, w, image, row, pixel, real, channels };
  }
  invariant(
    halo.every((d) => d === 0),
    "only images have a border",
  );
  return { address, n: 1, h: 1, w: count, image: count * pixel, row: count * pixel, pixel, real, channels };
}

/** Pixels to read, with at least the given border of zeros; copied to scratch where the tensor lies otherwise. */
export function readPixels(ctx: LowerContext, view: View, border: Halo = [0, 0, 0, 0]): Pixels {
  const direct = pixelsOf(view);
  if (direct && border.every((d, i) => view.halo[i]! >= d)) return direct;
  return pixelsOf(copyTo(ctx, view, paddedLayout(asImage(view.shape, border), border)))!;
}

function asImage(shape: Shape, border: Halo): Shape {
  invariant(shape.length === 4 || border.every((d) => d === 0), "only images can be given a border");
  return shape;
}

/** A copy in scratch memory, under another layout of the same shape; border and padding are zero. */
export function copyTo(ctx: LowerContext, view: View, layout: Layout): View {
  const copy = scratch(ctx, layout);
  clear(ctx, copy);
  copyStrided(ctx.call, view, copy, view.shape);
  return copy;
}

export function scratch(ctx: LowerContext, layout: Layout): View {
  return place(layout, ctx.temp(layout.bytes));
}

/** Zeros a whole buffer: for those who then write some of its elements only. */
export function clear(ctx: LowerContext, view: View): void {
  ctx.call("fill_value", view.base, view.bytes / 4, 0);
}

/** Zeros a buffer whose rows have padding, before a kernel that writes single elements. */
export function clearPadding(ctx: LowerContext, view: View): void {
  const last = view.shape[view.shape.length - 1] ?? 1;
  if (!view.plain && last % 4 !== 0) clear(ctx, view);
}

/** Pixels to write; `done` puts them where they belong when the tensor lies otherwise. */
export function writePixels(ctx: LowerContext, view: View): { pixels: Pixels; done: () => void } {
  const direct = pixelsOf(view);
  if (direct) return { pixels: direct, done: () => {} };
  const copy = scratch(ctx, paddedLayout(view.shape));
  return { pixels: pixelsOf(copy)!, done: () => copyStrided(ctx.call, copy, view, view.shape) };
}

/** The same pixels as few long rows, when all of them follow one another in every operand. */
export function flatten<T extends Pixels[]>(...operands: T): { [K in keyof T]: Pixels } {
  const whole = operands.every((p) => p.row === p.w * p.pixel && p.image === p.h * p.row);
  if (!whole) return operands as { [K in keyof T]: Pixels };
  const flat = operands.map((p) => {
    const w = p.n * p.h * p.w;
    return { ...p, n: 1, h: 1, w, row: w * p.pixel, image: w * p.pixel };
  });
  return flat as { [K in keyof T]: Pixels };
}

/** Address of a vector over channels: contiguous, padded with zeros or finite values. */
export function vector(ctx: LowerContext, tensor: string): number {
  return ctx.view(tensor).address;
}
