import { Random } from "../model/random.js";

export interface SplitIndices {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  /** A part of `train`. */
  readonly calibration: Int32Array;
}

/**
 * Divides samples into train and validation so that every class gives the same share to each, and picks the
 * calibration samples from train in the same way. Each list is shuffled: a file sorted by class gives mixed batches.
 * The result depends on labels and seed only.
 */
export function stratify(
  count: number,
  labels: Int32Array | null,
  options: { seed: number; validationFraction: number; calibrationCount: number },
): SplitIndices {
  const random = new Random(options.seed);
  const classes = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const label = labels === null ? 0 : labels[i]!;
    const members = classes.get(label);
    if (members === undefined) classes.set(label, [i]);
    else members.push(i);
  }
  const ordered = [...classes.entries()].sort(([a], [b]) => a - b).map(([, members]) => random.shuffle(members));
  const held = (members: readonly number[]): number => Math.round(members.length * options.validationFraction);
  const validation = ordered.flatMap((members) => members.slice(0, held(members)));
  const trainOfClass = ordered.map((members) => members.slice(held(members)));
  const train = trainOfClass.flat();
  // One sample of each class in turn until there are enough: the smaller classes run out first, the others fill up.
  const calibration: number[] = [];
  const wanted = Math.min(options.calibrationCount, train.length);
  for (let round = 0; calibration.length < wanted; round++) {
    for (const members of trainOfClass) {
      if (round < members.length && calibration.length < wanted) calibration.push(members[round]!);
    }
  }
  return {
    train: Int32Array.from(random.shuffle(train)),
    validation: Int32Array.from(random.shuffle(validation)),
    calibration: Int32Array.from(random.shuffle(calibration)),
  };
}
