import path from "node:path";
import { IdapError } from "../model/errors.js";
import { readBytes } from "./bytes.js";
import { checkLabels } from "./labels.js";
import type { DataFile, Samples } from "./types.js";

const SIDE = 32;
const PLANE = SIDE * SIDE;
const CHANNELS = 3;

/**
 * Reads records of some label bytes, of which the last is the class, and 3,072 bytes: the red, green and blue planes of
 * 32 x 32. Stored as [32, 32, 3]. Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
 */
export async function readCifarRecords(
  files: readonly DataFile[],
  classes: number,
  labelBytes: number,
): Promise<Samples | null> {
  if (files.length === 0) return null;
  const record = labelBytes + CHANNELS * PLANE;
  const parts: { values: Uint8Array; labels: Int32Array }[] = [];
  for (const file of files) {
    const bytes = await readBytes(file.path);
    const count = Math.floor(bytes.length / record);
    if (count * record !== bytes.length || count === 0) {
      throw new IdapError(
        "E_DATA_TRUNCATED",
        `${path.basename(file.path)} has ${bytes.length} bytes, which is not a whole number of ${record}-byte CIFAR records`,
        "The file is probably cut off: fetch it again.",
      );
    }
    const part = unpack(bytes, count, labelBytes);
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
function unpack(bytes: Uint8Array, count: number, labelBytes: number): { values: Uint8Array; labels: Int32Array } {
  const values = new Uint8Array(count * CHANNELS * PLANE);
  const labels = new Int32Array(count);
  for (let i = 0, to = 0; i < count; i++) {
    const from = i * (labelBytes + CHANNELS * PLANE) + labelBytes;
    labels[i] = bytes[from - 1]!;
    for (let p = from; p < from + PLANE; p++, to += CHANNELS) {
      values[to] = bytes[p]!;
      values[to + 1] = bytes[p + PLANE]!;
      values[to + 2] = bytes[p + 2 * PLANE]!;
    }
  }
  return { values, labels };
}
