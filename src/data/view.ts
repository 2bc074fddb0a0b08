import type { Split } from "../model/dataset.js";
import { invariant } from "../model/errors.js";
import { sizeOf } from "../model/types.js";
import type { Samples } from "./types.js";

/** Per element j of a sample: (stored - mean[j]) * scale[j]. */
export interface Affine {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/**
 * Some samples of a part, as a split: an index list over shared storage. Bytes stay bytes; they become floats in `read`.
 * Each value is computed in double precision and rounded once to f32. `affine` null: values as stored.
 */
export class SplitView implements Split {
  readonly count: number;
  readonly shape: readonly number[];
  readonly labels: Int32Array | null;

  constructor(
    readonly name: string,
    private readonly samples: Samples,
    private readonly indices: Int32Array,
    readonly classes: number,
    private readonly affine: Affine | null,
  ) {
    this.count = indices.length;
    this.shape = samples.shape;
    const all = samples.labels;
    this.labels = all === null ? null : Int32Array.from(indices, (i) => all[i]!);
  }

  read(indices: ArrayLike<number>, out: Float32Array): void {
    const size = sizeOf(this.shape);
    invariant(out.length >= indices.length * size, `read: ${indices.length} samples of ${size} into ${out.length}`);
    const { values } = this.samples;
    for (let k = 0; k < indices.length; k++) {
      const i = this.indices[indices[k]!];
      invariant(i !== undefined, `read: sample ${indices[k]} of ${this.count} in split ${this.name}`);
      const from = i * size;
      const to = k * size;
      if (this.affine === null) {
        out.set(values.subarray(from, from + size), to);
      } else {
        const { mean, scale } = this.affine;
        for (let j = 0; j < size; j++) out[to + j] = (values[from + j]! - mean[j]!) * scale[j]!;
      }
    }
  }
}

/**
 * A split with the elements of each sample in another order and shape: element j of a sample is element `order[j]`
 * of the base's; `order` null: the same order.
 */
export function rearrange(base: Split, shape: readonly number[], order: Int32Array | null, classes: number): Split {
  const size = sizeOf(shape);
  const sample = new Float32Array(order === null ? 0 : size);
  return {
    name: base.name,
    count: base.count,
    shape,
    labels: base.labels,
    classes,
    read(indices, out) {
      base.read(indices, out);
      if (order === null) return;
      for (let k = 0; k < indices.length; k++) {
        const one = out.subarray(k * size, (k + 1) * size);
        sample.set(one);
        for (let j = 0; j < size; j++) one[j] = sample[order[j]!]!;
      }
    },
  };
}
