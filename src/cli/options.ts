import { parseNormalisation, type LoadOptions } from "../data/index.js";
import type { OptionSpec } from "./spec.js";

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
