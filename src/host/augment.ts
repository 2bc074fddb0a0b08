/** Random changes of training images, drawn in the order of the batch: they depend on the seed alone. */
import { IdapError } from "../model/errors.js";
import type { Random } from "../model/random.js";

/** Changes one sample in place. */
export type Augment = (data: Float32Array, random: Random) => void;

/** Puts a part of `other` into `data`, both one sample; returns the share of `data` that is left. */
export type Mix = (data: Float32Array, other: Float32Array, random: Random) => number;

/** How an image lies in memory: extents and strides of rows, columns and channels. */
export interface ImageLayout {
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
}

/** @param shape of one sample: [h, w, c], or [c, h, w] with at most 4 channels */
export function imageLayout(shape: readonly number[], what: string): ImageLayout {
  if (shape.length !== 3) {
    throw new IdapError("E_AUGMENT", `${what} needs images of three axes, got samples of shape [${shape.join(", ")}]`);
  }
  const channelsFirst = shape[2]! > 4 && shape[0]! <= 4;
  const [h, w, c] = (channelsFirst ? [shape[1], shape[2], shape[0]] : shape) as [number, number, number];
  return channelsFirst
    ? { h, w, c, row: w, column: 1, channel: h * w }
    : { h, w, c, row: w * c, column: c, channel: 1 };
}

/**
 * Moves images by up to an eighth of their height and width and mirrors half of them. What moves in from outside repeats
 * the edge, which needs no knowledge of how pixels are normalised.
 * @param shape of one sample: [h, w, c], or [c, h, w] with at most 4 channels
 */
export function shiftFlip(shape: readonly number[]): Augment {
  const { h, w, c, row, column, channel } = imageLayout(shape, "shift-flip");
  const [down, across] = [h >> 3, w >> 3];
  const copy = new Float32Array(h * w * c);
  return (data, random) => {
    const dy = random.int(2 * down + 1) - down;
    const dx = random.int(2 * across + 1) - across;
    const flip = random.int(2) === 1;
    copy.set(data);
    for (let i = 0; i < h; i++) {
      const from = Math.min(h - 1, Math.max(0, i + dy)) * row;
      for (let j = 0; j < w; j++) {
        const moved = Math.min(w - 1, Math.max(0, j + dx));
        const source = from + (flip ? w - 1 - moved : moved) * column;
        for (let k = 0; k < c; k++) data[i * row + j * column + k * channel] = copy[source + k * channel]!;
      }
    }
  };
}

/**
 * CutMix (Yun et al., ICCV 2019): a box at a random place, whose area is a uniformly drawn share of the image, shows the
 * other image. A teacher says what the composite is; labels are mixed in the same proportion.
 * @param shape of one sample: [h, w, c], or [c, h, w] with at most 4 channels
 */
export function cutMix(shape: readonly number[]): Mix {
  const { h, w, c, row, column, channel } = imageLayout(shape, "cut-mix");
  return (data, other, random) => {
    const side = Math.sqrt(random.next());
    const [boxH, boxW] = [Math.round(h * side), Math.round(w * side)];
    const [top, left] = [random.int(h - boxH + 1), random.int(w - boxW + 1)];
    for (let i = top; i < top + boxH; i++)
      for (let j = left; j < left + boxW; j++)
        for (let k = 0; k < c; k++) {
          const at = i * row + j * column + k * channel;
          data[at] = other[at]!;
        }
    return 1 - (boxH * boxW) / (h * w);
  };
}
