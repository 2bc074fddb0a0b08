import { IdapError } from "../model/errors.js";
import { checkLabels, countClasses } from "./labels.js";
import { dataSetOf } from "./load.js";
import type { DataSet, LoadOptions, RawData, Samples } from "./types.js";

/** Samples that a program read by itself. */
export interface GivenSamples {
  /** Shape of one sample, for example [32, 32, 3]; images have their channels last. */
  readonly shape: readonly number[];
  /** Sample after sample. Bytes stay bytes, and may be normalised like those of files. */
  readonly values: Uint8Array | Int8Array | Float32Array;
  /** Class of each sample, from 0. */
  readonly labels?: ArrayLike<number>;
}

/** What a data loader returns: a training part, a test part, or both; idap splits them as it splits files. */
export interface GivenData {
  readonly train?: GivenSamples;
  readonly test?: GivenSamples;
  /** Default: the largest label + 1. */
  readonly classes?: number;
  readonly classNames?: readonly string[];
}

/** A data set from samples in memory: checked, split by class and seed, and hashed, as if it had been read from files. */
export function dataSetFrom(given: GivenData, options: LoadOptions): DataSet {
  const train = given.train === undefined ? null : samplesOf(given.train, "train");
  const test = given.test === undefined ? null : samplesOf(given.test, "test");
  if (train === null && test === null) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `the data that was given has neither train nor test, but ${Object.keys(given).join(", ") || "nothing"}`,
      "Return { train: { shape, values, labels }, test: ... }.",
    );
  }
  if (train && test && train.shape.join() !== test.shape.join()) {
    throw new IdapError(
      "E_DATA_SHAPE",
      `the training samples are [${train.shape.join(", ")}], the test samples [${test.shape.join(", ")}]`,
    );
  }
  const classes =
    options.classes ??
    given.classes ??
    given.classNames?.length ??
    countClasses(train?.labels ?? null, test?.labels ?? null);
  for (const [name, part] of [
    ["train", train],
    ["test", test],
  ] as const) {
    if (part?.labels) checkLabels(part.labels, classes, name);
  }
  const raw: RawData = {
    train,
    test,
    classes,
    ...(given.classNames && { classNames: given.classNames }),
    scale: 1,
    zeroPoint: 0,
  };
  return dataSetOf("given", raw, options);
}

function samplesOf(part: GivenSamples, name: string): Samples {
  const { shape, values, labels } = part;
  const wrong = (what: string): IdapError => new IdapError("E_DATA_FORMAT", `the ${name} part that was given ${what}`);
  if (!Array.isArray(shape) || shape.length === 0 || !shape.every((d) => Number.isInteger(d) && d > 0)) {
    throw wrong(`needs a shape such as [32, 32, 3], got ${JSON.stringify(shape)}`);
  }
  if (!(values instanceof Uint8Array || values instanceof Int8Array || values instanceof Float32Array)) {
    throw wrong("needs its values as a Uint8Array, Int8Array or Float32Array");
  }
  const size = shape.reduce((a, b) => a * b, 1);
  const count = values.length / size;
  if (!Number.isInteger(count) || count === 0) {
    throw wrong(`has ${values.length} values, which is no whole number of samples of [${shape.join(", ")}]`);
  }
  const bad = values instanceof Float32Array ? values.findIndex((v) => !Number.isFinite(v)) : -1;
  if (bad >= 0) throw wrong(`has ${values[bad]} in sample ${Math.floor(bad / size)}`);
  if (labels === undefined) return { count, shape, values, labels: null };
  if (labels.length !== count) throw wrong(`has ${count} samples but ${labels.length} labels`);
  const list = Array.from(labels);
  const odd = list.findIndex((l) => !Number.isInteger(l));
  if (odd >= 0)
    throw new IdapError("E_DATA_LABEL", `${name}: sample ${odd} has the label ${list[odd]}, no whole number`);
  return { count, shape, values, labels: Int32Array.from(list) };
}
