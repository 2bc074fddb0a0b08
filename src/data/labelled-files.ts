import { IdapError } from "../model/errors.js";
import { classIndex, short } from "./classes.js";
import type { NestedFile, ReadOptions } from "./types.js";

/** Files with one sample each, sorted into parts, with their classes. */
export interface LabelledFiles {
  readonly train: readonly NestedFile[];
  readonly test: readonly NestedFile[];
  readonly classNames: readonly string[];
  /** The number of names, or of what the options say. */
  readonly classes: number;
  labelOf(file: NestedFile): number;
}

const PARTS = new Map<string, "train" | "test" | "validation">([
  ["train", "train"],
  ["training", "train"],
  ["test", "test"],
  ["testing", "test"],
  ["val", "validation"],
  ["valid", "validation"],
  ["validation", "validation"],
]);

const relative = (f: NestedFile): string => [...f.folders, f.name].join("/");
const partOf = (f: NestedFile): "train" | "test" | "validation" | undefined =>
  PARTS.get(f.folders[0]?.toLowerCase() ?? "");

/**
 * Sorts files into parts and classes.
 *
 * Parts: `testFiles` says which files are for the test; else the first folder does, when there is one named `train` and
 * others named `test` or `val`. Samples of `val` are the test part where there is none named `test`; where there is, they
 * join the training part, from which every build draws a validation split of its own.
 * Classes: the first group of `labelFrom` in the path; else the next folder; for files that lie in none, the name up to
 * its first `_` or `-` (as in `7_jackson_32.wav`).
 */
export function labelledFiles(files: readonly NestedFile[], options: ReadOptions): LabelledFiles {
  const { labelFrom, testFiles } = options;
  const byFolder = testFiles === undefined && files.some((f) => partOf(f) === "train");
  const hasTest = files.some((f) => partOf(f) === "test");
  const isTest = (f: NestedFile): boolean => {
    if (testFiles !== undefined) return matches(testFiles, relative(f)) !== null;
    if (!byFolder) return false;
    const part = partOf(f);
    if (part === undefined) {
      throw new IdapError(
        "E_DATA_FORMAT",
        `there are folders for parts (train, test or val), but ${relative(f)} is in none of them`,
        "Move it into one of them, or say which files are for the test with --test-files.",
      );
    }
    return part === "test" || (part === "validation" && !hasTest);
  };
  const test = files.filter(isTest);
  const inTest = new Set(test);
  const train = files.filter((f) => !inTest.has(f));

  const nameOf = (f: NestedFile): string => {
    if (labelFrom !== undefined) {
      const label = matches(labelFrom, relative(f))?.[1];
      if (label !== undefined && label !== "") return label;
      throw new IdapError(
        "E_DATA_LABEL",
        `${relative(f)}: the pattern ${labelFrom.source} finds no label in it`,
        "Its first group, in parentheses, is the label: for example ([a-z]+)_\\d+\\.wav$.",
      );
    }
    const folder = f.folders[byFolder ? 1 : 0];
    return folder ?? f.name.replace(/\.[^.]*$/, "").split(/[_-]/)[0]!;
  };
  if (labelFrom === undefined) checkDepth(files, byFolder ? 1 : 0);
  const index = classIndex(files.map(nameOf), options.classNames);
  const classes = options.classes ?? index.names.length;
  if (index.names.length > classes) {
    throw new IdapError(
      "E_DATA_LABEL",
      `there are ${index.names.length} classes (${index.names.slice(0, 20).map(short).join(", ")}), not ${classes}`,
      "Are all of these folders classes? Name those that are with --class-names.",
    );
  }
  return {
    train,
    test,
    classNames: index.names,
    classes,
    labelOf: (f) => index.of(nameOf(f), () => relative(f)),
  };
}

/** Without the state that a pattern with the flag g or y would carry from file to file. */
function matches(pattern: RegExp, text: string): RegExpMatchArray | null {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")).exec(text);
}

/** Either all files lie in a folder for their class, or none does. */
function checkDepth(files: readonly NestedFile[], depth: number): void {
  const flat = files.find((f) => f.folders.length <= depth);
  const deep = files.find((f) => f.folders.length > depth);
  if (flat === undefined || deep === undefined) return;
  throw new IdapError(
    "E_DATA_FORMAT",
    `${relative(deep)} lies in a folder for its class, but ${relative(flat)} does not`,
    "Move it, or say where labels are with --label-from.",
  );
}
