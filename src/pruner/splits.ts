import { imageLayout } from "../host/augment.js";
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";

/** A part of a split by sample indices, in the given order. */
export function subset(split: Split, indices: Int32Array, name = split.name): Split {
  return {
    name,
    count: indices.length,
    shape: split.shape,
    labels: split.labels ? Int32Array.from(indices, (i) => split.labels![i]!) : null,
    classes: split.classes,
    read: (list, out) =>
      split.read(
        Int32Array.from(list, (i) => indices[i]!),
        out,
      ),
  };
}

/** `count` samples drawn without repetition by seed; the split itself when it has no more. */
export function sampled(split: Split, count: number, seed: number): Split {
  if (count >= split.count) return split;
  const all = Int32Array.from({ length: split.count }, (_, i) => i);
  new Random(seed).shuffle(all);
  return subset(split, all.slice(0, count));
}

/** The same samples with other labels: fidelity to a network is accuracy against its own answers. */
export function relabelled(split: Split, labels: Int32Array, classes: number): Split {
  return {
    name: split.name,
    count: split.count,
    shape: split.shape,
    labels,
    classes,
    read: (list, out) => split.read(list, out),
  };
}

/** Images mirrored left to right, channels last or first; null for samples that are no images of at most four channels. */
export function mirrored(split: Split): Split | null {
  if (split.shape.length !== 3) return null;
  const { h, w, c, row, column, channel } = imageLayout(split.shape, "mirroring");
  if (c > 4 || h < 8 || w < 8) return null;
  return {
    name: split.name,
    count: split.count,
    shape: split.shape,
    labels: split.labels,
    classes: split.classes,
    read(list, out) {
      split.read(list, out);
      for (let image = 0; image < list.length; image++)
        for (let y = 0; y < h; y++)
          for (let a = 0, b = w - 1; a < b; a++, b--)
            for (let k = 0; k < c; k++) {
              const from = image * h * w * c + y * row + k * channel;
              const left = out[from + a * column]!;
              out[from + a * column] = out[from + b * column]!;
              out[from + b * column] = left;
            }
    },
  };
}
