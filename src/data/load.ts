import { createHash } from "node:crypto";
import { IdapError } from "../model/errors.js";
import { listDataFiles, listNestedFiles } from "./bytes.js";
import { formats } from "./formats/index.js";
import { describeNormalisation, affineOf } from "./normalize.js";
import { stratify } from "./split.js";
import type { DataFormat, DataSet, LoadOptions, RawData, Samples } from "./types.js";
import { SplitView } from "./view.js";

/** Every format that is read; one file each in `formats/`. */
export const DATA_FORMATS: readonly DataFormat[] = formats;

const EMPTY: Samples = { count: 0, shape: [], values: new Uint8Array(0), labels: null };

/**
 * Reads a data set from a folder (or a single file).
 *
 * The training files give train and validation, split by class and seed; calibration is a part of train; the test
 * files are left alone. A data set with test files only has empty train, validation and calibration splits.
 */
export async function loadData(path: string, options: LoadOptions): Promise<DataSet> {
  checkFraction(options);
  const { format, data } = await readRaw(path, options);
  return dataSetOf(format.name, data, options);
}

function checkFraction({ validationFraction = 0.2 }: LoadOptions): number {
  if (validationFraction > 0 && validationFraction < 1) return validationFraction;
  throw new IdapError("E_OPTION", `the validation fraction must lie between 0 and 1, got ${validationFraction}`);
}

/** Splits what was read: the same splits for the same labels and seed, whatever the format. */
export function dataSetOf(name: string, data: RawData, options: LoadOptions): DataSet {
  const part = data.train ?? EMPTY;
  const indices = stratify(part.count, part.labels, {
    seed: options.seed,
    validationFraction: checkFraction(options),
    calibrationCount: options.calibrationCount ?? 1024,
  });
  const normalise = options.normalize ?? { kind: "none" };
  const like = data.train ?? data.test!;
  const affine = affineOf(data, like, normalise);
  const view = (split: string, list: Int32Array): SplitView =>
    new SplitView(split, data.train ?? { ...EMPTY, shape: like.shape }, list, data.classes, affine);
  const test = data.test && new SplitView("test", data.test, range(data.test.count), data.classes, affine);
  return {
    train: view("train", indices.train),
    validation: view("validation", indices.validation),
    calibration: view("calibration", indices.calibration),
    test,
    description:
      `${name}: ${indices.train.length} train, ${indices.validation.length} validation, ` +
      `${test?.count ?? 0} test samples of [${like.shape.join(", ")}], ` +
      `${data.classes > 0 ? `${data.classes} classes` : "no labels"}, ${describeNormalisation(normalise)}`,
    ...(data.classNames && { classNames: data.classNames }),
    hash: hashOf(data),
  };
}

async function readRaw(path: string, options: LoadOptions): Promise<{ format: DataFormat; data: RawData }> {
  const files = await listDataFiles(path);
  const wanted = options.format === undefined ? DATA_FORMATS : [formatNamed(options.format)];
  const flat = wanted
    .filter((f) => f.nested !== true)
    .map((format) => candidate(format, format.detect(files), options));
  const first = chosen(path, flat);
  if (first) return { format: first.format, data: await first.read() };

  const nested = await listNestedFiles(path);
  const folders = wanted
    .filter((f) => f.nested === true)
    .map((format) => candidate(format, format.detect(nested), options));
  const second = chosen(path, folders);
  if (second) return { format: second.format, data: await second.read() };
  const looked = wanted.map((f) => f.summary).join("; ");
  throw new IdapError(
    "E_DATA_EMPTY",
    `${path} holds no data that is understood${nested.length + files.length === 0 ? " (it is empty)" : ` among its ${Math.max(nested.length, files.length)} files`}`,
    `Needed is one of: ${looked}.`,
  );
}

interface Candidate {
  readonly format: DataFormat;
  readonly found: number;
  read(): Promise<RawData>;
}

/** A format with the files it claims. */
function candidate<F>(
  format: DataFormat & { read(files: readonly F[], options: LoadOptions): Promise<RawData> },
  files: readonly F[],
  options: LoadOptions,
): Candidate {
  return { format, found: files.length, read: () => format.read(files, options) };
}

/** The one format that files are of: what says so itself goes first, what may only accompany other data last. */
function chosen(path: string, all: readonly Candidate[]): Candidate | null {
  const matching = all.filter((c) => c.found > 0);
  const explicit = matching.filter((c) => c.format.explicit);
  const primary = matching.filter((c) => !c.format.secondary);
  const [first, second] = [explicit, primary, matching].find((list) => list.length > 0) ?? [];
  if (second !== undefined) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${path} holds data of more than one format: ${first!.format.name} and ${second.format.name}`,
      "Say which with --format.",
    );
  }
  return first ?? null;
}

function formatNamed(name: string): DataFormat {
  const format = DATA_FORMATS.find((f) => f.name === name);
  if (format !== undefined) return format;
  throw new IdapError(
    "E_OPTION",
    `there is no data format named ${name}`,
    `These exist: ${DATA_FORMATS.map((f) => f.name).join(", ")}.`,
  );
}

function range(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => i);
}

function hashOf(data: RawData): string {
  const hash = createHash("sha256");
  for (const [name, part] of [
    ["train", data.train],
    ["test", data.test],
  ] as const) {
    if (part === null) continue;
    hash.update(`${name} ${part.count} [${part.shape.join(",")}] ${part.values.constructor.name}\n`);
    hash.update(bytesOf(part.values));
    if (part.labels !== null) hash.update(bytesOf(part.labels));
  }
  hash.update(`${data.classes} ${data.scale} ${data.zeroPoint}`);
  return hash.digest("hex");
}

function bytesOf(a: Uint8Array | Int8Array | Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
}
