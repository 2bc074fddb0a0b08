import { IdapError } from "../model/errors.js";

/**
 * Numbers for labels that are names: their place in `given`, or in the sorted list of all names that occur, which is the
 * order that Keras and torchvision give to folders. Sorted by code units: the same on every machine.
 */
export function classIndex(
  names: Iterable<string>,
  given: readonly string[] | undefined,
): { readonly names: readonly string[]; of(name: string, where: () => string): number } {
  const list = given ?? [...new Set(names)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const index = new Map(list.map((name, i) => [name, i]));
  if (index.size !== list.length) {
    const twice = list.find((name, i) => index.get(name) !== i)!;
    throw new IdapError("E_OPTION", `the class ${twice} is named twice`, "Name each class once.");
  }
  return {
    names: list,
    of(name, where) {
      const i = index.get(name);
      if (i !== undefined) return i;
      throw new IdapError(
        "E_DATA_LABEL",
        `${where()}: its class is "${short(name)}", which is none of ${list.map(short).slice(0, 20).join(", ")}`,
        "Correct the label, or name all classes with --class-names.",
      );
    },
  };
}

/** A name that came from a file, fit for a message. */
export const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}...` : text);
