/** A split of a data set for a single-input model; samples are delivered as the model's input values. */
export interface Split {
  readonly name: string;
  readonly count: number;
  /** Shape of one sample without the batch axis, for example [32, 32, 3]. */
  readonly shape: readonly number[];
  /** Class of each sample; null for unlabelled data. */
  readonly labels: Int32Array | null;
  /** Number of classes; 0 for unlabelled data. */
  readonly classes: number;
  /** Writes the samples `indices` one after another into `out`, f32. */
  read(indices: ArrayLike<number>, out: Float32Array): void;
}
