/**
 * How tensors lie in memory.
 *
 * Activations have their last axis padded to a multiple of four floats, and images (rank 4) a border of zeros as wide as
 * the windows of their consumers reach. Constants, and what is computed from constants alone, are plain row-major: that is
 * the order in which weights come and gradients go.
 */
import { sizeOf, stridesOf, type Shape } from "../model/types.js";
import { pad4, type Place } from "./plan.js";

/** Width of the zero border: top, left, bottom, right. */
export type Halo = readonly [number, number, number, number];
export const NO_HALO: Halo = [0, 0, 0, 0];

export interface Layout {
  readonly shape: Shape;
  /** Bytes. */
  readonly strides: readonly number[];
  readonly plain: boolean;
  readonly halo: Halo;
  /** Size of the buffer. */
  readonly bytes: number;
  /** From the start of the buffer to the first element. */
  readonly origin: number;
}

/** A layout at its place: `address` is the first element, `base` the start of the buffer. */
export interface View extends Layout {
  readonly address: number;
  readonly base: number;
}

export function plainLayout(shape: Shape): Layout {
  return {
    shape,
    strides: stridesOf(shape).map((s) => 4 * s),
    plain: true,
    halo: NO_HALO,
    bytes: 4 * pad4(sizeOf(shape)),
    origin: 0,
  };
}

export function paddedLayout(shape: Shape, halo: Halo = NO_HALO): Layout {
  const rank = shape.length;
  const pixel = 4 * pad4(shape[rank - 1] ?? 1);
  if (rank === 4) {
    const [n, h, w] = shape as [number, number, number, number];
    const [top, left, bottom, right] = halo;
    const row = (left + w + right) * pixel;
    const image = (top + h + bottom) * row;
    return {
      shape,
      strides: [image, row, pixel, 4],
      plain: false,
      halo,
      bytes: n * image,
      origin: top * row + left * pixel,
    };
  }
  const strides = new Array<number>(rank);
  let step = pixel;
  for (let axis = rank - 1; axis >= 0; axis--) {
    strides[axis] = axis === rank - 1 ? 4 : step;
    if (axis < rank - 1) step *= shape[axis]!;
  }
  return { shape, strides, plain: false, halo: NO_HALO, bytes: rank < 2 ? pixel : step, origin: 0 };
}

export function place(layout: Layout, base: number): View {
  return { ...layout, base, address: base + layout.origin };
}

/** Whether both shapes are the same bytes in memory, so that a reshape is nothing but another view. */
export function sameBytes(a: Layout, b: Layout): boolean {
  if (a.halo.some((d) => d > 0) || b.halo.some((d) => d > 0)) return false;
  return a.bytes === b.bytes && rowIsWhole(a) && rowIsWhole(b);
}

/** No gap anywhere: elements follow one another in row-major order. */
function rowIsWhole({ shape, plain }: Layout): boolean {
  return plain || shape.length < 2 || shape[shape.length - 1]! % 4 === 0;
}

export function placeOf(name: string, view: View, integer = false): Place {
  const { shape, strides, address, plain } = view;
  const last = shape[shape.length - 1] ?? 1;
  return { name, address, shape, strides, rowFloats: plain && shape.length > 1 ? last : pad4(last), integer };
}
