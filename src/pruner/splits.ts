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

/** Images mirrored left to right: samples [h, w, c] with at most four channels; null for anything else. */
export function mirrored(split: Split): Split | null {
  const [h, w, c] = split.shape;
  if (split.shape.length !== 3 || c! > 4 || h! < 8 || w! < 8) return null;
  return {
    name: split.name,
    count: split.count,
    shape: split.shape,
    labels: split.labels,
    classes: split.classes,
    read(list, out) {
      split.read(list, out);
      const pixel = new Float32Array(c!);
      for (let row = 0; row < list.length * h!; row++)
        for (let a = 0, b = w! - 1; a < b; a++, b--) {
          const i = (row * w! + a) * c!;
          const j = (row * w! + b) * c!;
          pixel.set(out.subarray(i, i + c!));
          out.copyWithin(i, j, j + c!);
          out.set(pixel, j);
        }
    },
  };
}
