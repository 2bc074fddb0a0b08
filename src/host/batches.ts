/** The order in which a training run sees its samples, and the filling of one batch. */
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";
import type { Augment, Mix } from "./augment.js";

/** Endless batches: epoch after epoch in a new random order, each epoch cut into whole batches. */
export class Batches {
  private readonly order: Int32Array;
  private readonly shuffling: Random;
  private readonly drawing: Random;
  private next: number;
  private readonly sample: number;

  constructor(
    private readonly data: Split,
    private readonly batch: number,
    private readonly labelSmoothing: number,
    private readonly augment: Augment | null,
    private readonly mixing: { readonly mix: Mix; readonly share: number } | null,
    seed: number,
  ) {
    this.order = Int32Array.from({ length: data.count }, (_, i) => i);
    this.shuffling = new Random(seed);
    this.drawing = new Random(seed ^ 0x5bd1e995);
    this.next = data.count;
    this.sample = data.shape.reduce((n, d) => n * d, 1);
  }

  /** Whole batches in one pass over the data. */
  get perEpoch(): number {
    return Math.floor(this.data.count / this.batch);
  }

  /** Writes the next batch in equal parts: samples into `images`, target probabilities into `targets` (where wanted). */
  fill(images: readonly Float32Array[], targets: readonly Float32Array[] | null): void {
    if (this.next + this.batch > this.data.count) {
      this.shuffling.shuffle(this.order);
      this.next = 0;
    }
    const indices = this.order.subarray(this.next, this.next + this.batch);
    this.next += this.batch;
    const per = this.batch / images.length;
    images.forEach((part, shard) => {
      const own = indices.subarray(shard * per, (shard + 1) * per);
      this.data.read(own, part);
      for (let i = 0; this.augment && i < per; i++) {
        this.augment(part.subarray(i * this.sample, (i + 1) * this.sample), this.drawing);
      }
      if (targets) this.label(own, targets[shard]!);
      if (this.mixing) this.mix(part, targets?.[shard] ?? null, per);
    });
  }

  /** Mixes a share of the samples with the next one of the same shard, the last with the first. */
  private mix(part: Float32Array, target: Float32Array | null, per: number): void {
    const { mix, share } = this.mixing!;
    const { sample, drawing } = this;
    const { classes } = this.data;
    const first = part.slice(0, sample);
    const firstTarget = target?.slice(0, classes);
    for (let i = 0; i < per; i++) {
      if (drawing.next() >= share) continue;
      const last = i + 1 === per;
      const other = last ? first : part.subarray((i + 1) * sample, (i + 2) * sample);
      const left = mix(part.subarray(i * sample, (i + 1) * sample), other, drawing);
      if (!target) continue;
      const otherTarget = last ? firstTarget! : target.subarray((i + 1) * classes, (i + 2) * classes);
      for (let k = 0; k < classes; k++) {
        const at = i * classes + k;
        target[at] = left * target[at]! + (1 - left) * otherTarget[k]!;
      }
    }
  }

  private label(indices: Int32Array, target: Float32Array): void {
    const { labels, classes } = this.data;
    target.fill(this.labelSmoothing / classes);
    indices.forEach((index, i) => {
      const at = i * classes + labels![index]!;
      target[at] = 1 - this.labelSmoothing + this.labelSmoothing / classes;
    });
  }
}
