import { IdapError } from "../model/errors.js";

/** Throws when a label is not in 0..classes-1, naming the file, the sample and both sides. */
export function checkLabels(labels: Int32Array, classes: number, file: string): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label >= 0 && label < classes) continue;
    throw new IdapError(
      "E_DATA_LABEL",
      `${file}: sample ${i} has label ${label}, but the ${classes} classes are 0 to ${classes - 1}`,
      "Correct the label, or say how many classes there are with --classes.",
    );
  }
}

/** Number of classes that labels imply when nobody says: the largest label + 1. */
export function countClasses(...parts: (Int32Array | null)[]): number {
  let classes = 0;
  for (const labels of parts) {
    if (labels !== null) for (const label of labels) if (label >= classes) classes = label + 1;
  }
  return classes;
}
