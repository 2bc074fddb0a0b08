import type { DataLoader } from "../build/config.js";
import { parseFeatures, parseNormalisation, type DataSet, type LoadOptions } from "../data/index.js";
import type { ReadOptions } from "../formats/index.js";
import { IdapError } from "../model/errors.js";
import { runLoader } from "./config.js";
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
    summary:
      "Labelled samples: CIFAR binary, IDX, numpy or CSV files, a folder of pictures or of WAV files, or one with an idap-data.json",
  },
  {
    name: "format",
    kind: "string",
    value: "name",
    choices: ["audio", "cifar10", "cifar100", "csv", "idx", "images", "numpy", "raw"],
    summary: "Format of the data: audio, cifar10, cifar100, csv, idx, images, numpy or raw",
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
    name: "class-names",
    kind: "string",
    value: "a,b,c",
    summary: "Names of the classes in the order of the model's outputs, where labels are names",
    defaultText: "sorted",
  },
  {
    name: "label",
    kind: "string",
    value: "column",
    summary: "Column of the label in CSV files: last, first, none, a name of the header, or a number from 0",
    defaultText: "last",
  },
  {
    name: "label-from",
    kind: "string",
    value: "pattern",
    summary: "Regular expression whose first group is the label in the path of a picture or sound, such as ^([0-9]+)_",
    defaultText: "the sub-folder",
  },
  {
    name: "test-files",
    kind: "string",
    value: "pattern",
    summary: "Regular expression for the paths of the pictures or sounds that are the test part",
    defaultText: "those in a folder named test",
  },
  {
    name: "sample-shape",
    kind: "string",
    value: "h,w,c",
    summary: "Shape that pictures and rows of numbers are brought to",
    defaultText: "the model's input",
  },
  {
    name: "features",
    kind: "string",
    value: "kind,name=value",
    summary:
      "What a sound becomes: mfcc, log-mel or wave, with options such as rate=8000,seconds=1,bands=40,coefficients=10,window-ms=30,hop-ms=20",
    defaultText: "mfcc at 16 kHz as in MLPerf Tiny",
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
  readonly "class-names"?: string | undefined;
  readonly label?: string | undefined;
  readonly "label-from"?: string | undefined;
  readonly "test-files"?: string | undefined;
  readonly "sample-shape"?: string | undefined;
  readonly features?: string | undefined;
  readonly validation: number;
  readonly seed: number;
}): LoadOptions {
  return {
    seed: values.seed,
    validationFraction: values.validation,
    normalize: parseNormalisation(values.normalize),
    ...(values.format !== undefined && { format: values.format }),
    ...(values.classes !== undefined && { classes: values.classes }),
    ...(values["class-names"] !== undefined && {
      classNames: values["class-names"].split(",").map((name) => name.trim()),
    }),
    ...(values.label !== undefined && { label: values.label }),
    ...(values["label-from"] !== undefined && { labelFrom: pattern("label-from", values["label-from"]) }),
    ...(values["test-files"] !== undefined && { testFiles: pattern("test-files", values["test-files"]) }),
    ...(values["sample-shape"] !== undefined && { sampleShape: extents(values["sample-shape"]) }),
    ...(values.features !== undefined && { features: parseFeatures(values.features) }),
  };
}

function pattern(option: string, text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new IdapError("E_OPTION", `--${option}: ${(error as Error).message}`);
  }
}

function extents(text: string): number[] {
  const words = text.split(/[,x]/);
  if (words.every((w) => /^\s*[1-9]\d{0,5}\s*$/.test(w))) return words.map(Number);
  throw new IdapError("E_OPTION", `--sample-shape needs extents such as 96,96,3, got ${text}`);
}

/** The data of a command: from code where a configuration gives a loader, else from where `--data` says. */
export async function givenData(
  values: Parameters<typeof loadOptions>[0] & { readonly data?: string | undefined },
  loader: DataLoader | null | undefined,
): Promise<string | DataSet | undefined> {
  if (!loader) return values.data;
  return runLoader(loader, loadOptions(values));
}
