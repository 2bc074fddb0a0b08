import { parseNormalisation, type LoadOptions } from "../data/index.js";
import type { ReadOptions } from "../formats/index.js";
import { IdapError } from "../model/errors.js";
import type { OptionSpec } from "./spec.js";

/** What a model file may be; the argument of the commands that read one. */
export const MODEL_ARGUMENT = {
  name: "model",
  summary: "a model file (.onnx, .tflite, .h5, .keras, or a TF.js model.json)",
} as const;

/** Options that fix what a model file leaves open; shared by the commands that read one. */
export const MODEL_OPTIONS = [
  {
    name: "batch",
    kind: "integer",
    value: "n",
    min: 1,
    default: 1,
    summary: "The batch size that the file fixes, where it fixes one other than 1",
  },
  {
    name: "shape",
    kind: "strings",
    value: "name=1,3,224,224",
    summary: "Shape of an input whose extents the file leaves open, in the file's own order of axes",
    defaultText: "the file's",
  },
] as const satisfies readonly OptionSpec[];

/** Options of `readModel` from those of the command line. */
export function readOptions(values: { readonly batch: number; readonly shape: readonly string[] }): ReadOptions {
  const shapes: Record<string, readonly number[]> = {};
  for (const text of values.shape) {
    // Names may hold an equals sign themselves, extents do not.
    const at = text.lastIndexOf("=");
    const extents = text.slice(at + 1).split(/[,x]/);
    if (at <= 0 || !extents.every((e) => /^\s*[1-9]\d*\s*$/.test(e))) {
      throw new IdapError(
        "E_OPTION",
        `--shape needs an input's name and its extents, such as name=1,3,224,224, got ${text}`,
      );
    }
    const name = text.slice(0, at);
    if (Object.hasOwn(shapes, name)) {
      throw new IdapError("E_OPTION", `--shape is given twice for the input ${name}`, "Give it once.");
    }
    shapes[name] = extents.map(Number);
  }
  return { batch: values.batch, ...(values.shape.length > 0 && { shapes }) };
}

/** Options that say what data is read and how; shared by the commands that take `--data`. */
export const DATA_OPTIONS = [
  {
    name: "data",
    kind: "string",
    value: "folder",
    summary: "Labelled samples: CIFAR-10 binary, IDX, numpy files, or a folder with an idap-data.json",
  },
  {
    name: "format",
    kind: "string",
    value: "name",
    choices: ["cifar10", "idx", "numpy", "raw"],
    summary: "Format of the data: cifar10, idx, numpy or raw",
    defaultText: "found from the content",
  },
  {
    name: "normalize",
    kind: "string",
    value: "how",
    default: "none",
    summary:
      "How samples become the model's input: none (bytes stay 0..255), unit (0..1), or mean/std per channel such as 125.3,123,113.9/63,62.1,66.7",
  },
  {
    name: "classes",
    kind: "integer",
    value: "n",
    min: 1,
    summary: "Number of classes where the data does not say",
    defaultText: "largest label + 1",
  },
  {
    name: "validation",
    kind: "number",
    value: "share",
    above: 0,
    below: 1,
    default: 0.2,
    summary: "Share of the training samples that decides what is accepted; no score and no gradient sees it",
  },
] as const satisfies readonly OptionSpec[];

export const SEED_OPTION = {
  name: "seed",
  kind: "integer",
  value: "n",
  min: 0,
  max: 4294967295,
  default: 0,
  summary: "Decides the splits and everything random; the same seed gives the same bytes",
} as const satisfies OptionSpec;

export const THREADS_OPTION = {
  name: "threads",
  kind: "integer",
  value: "n",
  min: 1,
  max: 256,
  summary: "Worker threads of the host; the result does not depend on it",
  defaultText: "the number of cores, at most 4",
} as const satisfies OptionSpec;

/** Options of `loadData` from those of the command line. */
export function loadOptions(values: {
  readonly format?: string | undefined;
  readonly normalize: string;
  readonly classes?: number | undefined;
  readonly validation: number;
  readonly seed: number;
}): LoadOptions {
  return {
    seed: values.seed,
    validationFraction: values.validation,
    normalize: parseNormalisation(values.normalize),
    ...(values.format !== undefined && { format: values.format }),
    ...(values.classes !== undefined && { classes: values.classes }),
  };
}
