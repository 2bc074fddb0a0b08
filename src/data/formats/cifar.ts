import path from "node:path";
import { IdapError } from "../../model/errors.js";
import { readBytes } from "../bytes.js";
import { checkLabels } from "../labels.js";
import type { DataFile, DataFormat, Samples } from "../types.js";

const SIDE = 32;
const PLANE = SIDE * SIDE;
const CHANNELS = 3;
const RECORD = 1 + CHANNELS * PLANE;

/**
 * CIFAR-10, binary version (Krizhevsky 2009): records of one label byte and 3,072 bytes, the red, green and blue
 * planes of 32 x 32. Stored here as [32, 32, 3]. The format has no magic number, so its file names tell it.
 */
export const cifar: DataFormat = {
  name: "cifar10",
  summary: "CIFAR-10 binary files (data_batch*.bin, test_batch*.bin, .gz too)",
  detect: (files) => files.filter((f) => /^(data|test)_batch.*\.bin$/.test(f.name)),
  async read(files, { classes = 10 }) {
    const train = files.filter((f) => f.name.startsWith("data"));
    const test = files.filter((f) => f.name.startsWith("test"));
    return {
      train: train.length > 0 ? await readPart(train, classes) : null,
      test: test.length > 0 ? await readPart(test, classes) : null,
      classes,
      scale: 1,
      zeroPoint: 0,
    };
  },
};

async function readPart(files: readonly DataFile[], classes: number): Promise<Samples> {
  const parts: { values: Uint8Array; labels: Int32Array }[] = [];
  for (const file of files) {
    const bytes = await readBytes(file.path);
    const count = Math.floor(bytes.length / RECORD);
    if (count * RECORD !== bytes.length || count === 0) {
      throw new IdapError(
        "E_DATA_TRUNCATED",
        `${path.basename(file.path)} has ${bytes.length} bytes, which is not a whole number of ${RECORD}-byte CIFAR-10 records`,
        "The file is probably cut off: fetch it again.",
      );
    }
    const part = unpack(bytes, count);
    checkLabels(part.labels, classes, path.basename(file.path));
    parts.push(part);
  }
  const count = parts.reduce((n, p) => n + p.labels.length, 0);
  const values = new Uint8Array(count * CHANNELS * PLANE);
  const labels = new Int32Array(count);
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at * CHANNELS * PLANE);
    labels.set(part.labels, at);
    at += part.labels.length;
  }
  return { count, shape: [SIDE, SIDE, CHANNELS], values, labels };
}

/** Records with planes one after another → pixels with their channels side by side. */
function unpack(bytes: Uint8Array, count: number): { values: Uint8Array; labels: Int32Array } {
  const values = new Uint8Array(count * CHANNELS * PLANE);
  const labels = new Int32Array(count);
  for (let i = 0, to = 0; i < count; i++) {
    const from = i * RECORD;
    labels[i] = bytes[from]!;
    for (let p = from + 1; p <= from + PLANE; p++, to += CHANNELS) {
      values[to] = bytes[p]!;
      values[to + 1] = bytes[p + PLANE]!;
      values[to + 2] = bytes[p + 2 * PLANE]!;
    }
  }
  return { values, labels };
}
