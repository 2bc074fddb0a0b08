import { z } from "zod";
import { IdapError } from "../../errors.js";

/** [vertical, horizontal], each at least 1. */
export const pair = z.tuple([z.int().positive(), z.int().positive()]);

/** Zero padding: top, left, bottom, right. */
export const pads2d = z.tuple([
  z.int().nonnegative(),
  z.int().nonnegative(),
  z.int().nonnegative(),
  z.int().nonnegative(),
]);

/** Output extent of a sliding window: floor((size + padding - reach) / stride) + 1. */
export function windowExtent(size: number, kernel: number, stride: number, dilation: number, padding: number): number {
  const reach = dilation * (kernel - 1) + 1;
  if (size + padding < reach) {
    throw new IdapError(
      "E_WINDOW",
      `a window of ${kernel} (dilation ${dilation}) does not fit into an extent of ${size} with ${padding} padding`,
    );
  }
  return Math.floor((size + padding - reach) / stride) + 1;
}
