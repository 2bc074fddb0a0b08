import type { Library } from "./check.mjs";

export const ACCURACY_BOUND: number;
export interface AccuracyCheck {
  /** Path below the folder of models. */
  readonly model: string;
  /** Paths below the shared data. */
  readonly files: readonly string[];
  readonly data: string;
  readonly reached: number;
}
export const ACCURACIES: readonly AccuracyCheck[];
export interface MeasuredAccuracy {
  readonly model: string;
  readonly data: string;
  readonly samples: number;
  readonly reached: number;
  readonly accuracy: number;
  readonly passes: boolean;
}
export function packageAccuracy(
  library: Library,
  check: AccuracyCheck,
  folders: { readonly data: string; readonly out: string },
): Promise<MeasuredAccuracy>;
