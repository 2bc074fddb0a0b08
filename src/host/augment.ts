/** Random changes of training images, drawn in the order of the batch: they depend on the seed alone. */
import { IdapError } from "../model/errors.js";
import type { Random } from "../model/random.js";

/** Changes one sample in place. */
export type Augment = (data: Float32Array, random: Random) => void;

/**
 * Moves images by up to an eighth of their height and width and mirrors half of them. What moves in from outside repeats
 * the edge, which needs no knowledge of how pixels are normalised.
 * @param shape of one sample: [h, w, c], or [c, h, w] with at most 4 channels
 */
export function shiftFlip(shape: readonly number[]): Augment {
  if (shape.length !== 3) {
    throw new IdapError(
      "E_AUGMENT",
      `shift-flip needs images of three axes, got samples of shape [${shape.join(", ")}]`,
    );
  }
  const channelsFirst = shape[2]! > 4 && shape[0]! <= 4;
  const [h, w, c] = (channelsFirst ? [shape[1], shape[2], shape[0]] : shape) as [number, number, number];
  const [row, column, channel] = channelsFirst ? [w, 1, h * w] : [w * c, c, 1];
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
