import path from "node:path";
import { IdapError } from "../../model/errors.js";
import { readBytes } from "../bytes.js";
import { checkLabels, countClasses } from "../labels.js";
import type { DataFile, FileFormat, Samples } from "../types.js";

/** Element types by their code: bytes of one, and how one is read. */
const TYPES = new Map<number, { bytes: number; read: (v: DataView, at: number) => number }>([
  [0x08, { bytes: 1, read: (v, at) => v.getUint8(at) }],
  [0x09, { bytes: 1, read: (v, at) => v.getInt8(at) }],
  [0x0b, { bytes: 2, read: (v, at) => v.getInt16(at) }],
  [0x0c, { bytes: 4, read: (v, at) => v.getInt32(at) }],
  [0x0d, { bytes: 4, read: (v, at) => v.getFloat32(at) }],
  [0x0e, { bytes: 8, read: (v, at) => v.getFloat64(at) }],
]);

const isIdx = (f: DataFile): boolean =>
  f.head[0] === 0 && f.head[1] === 0 && TYPES.has(f.head[2]!) && f.head[3]! >= 1 && f.head[3]! <= 4;

/**
 * IDX, the format of MNIST (LeCun and Cortes): bytes 0, 0, type, rank; big-endian extents; values in C order.
 * Unsigned bytes stay bytes, as MNIST and its family have them; every other type becomes f32. Images of rank 3 get a channel axis of 1.
 * A file belongs to the test part when its name begins with `t10k` or `test`; labels have rank 1.
 */
export const idx: FileFormat = {
  name: "idx",
  summary: "IDX files as MNIST has them (train-images..., train-labels..., t10k-..., .gz too)",
  detect: (files) => files.filter(isIdx),
  async read(files, options) {
    const isTest = (f: DataFile): boolean => /^(t10k|test)/.test(f.name);
    const train = await readPart(
      files.filter((f) => !isTest(f)),
      "training",
    );
    const test = await readPart(files.filter(isTest), "test");
    const classes = options.classes ?? countClasses(train?.labels ?? null, test?.labels ?? null);
    for (const part of [train, test]) if (part?.labels) checkLabels(part.labels, classes, part.labelFile);
    return { train, test, classes, scale: 1, zeroPoint: 0 };
  },
};

async function readPart(files: readonly DataFile[], part: string): Promise<(Samples & { labelFile: string }) | null> {
  const images = files.filter((f) => f.head[3]! > 1);
  const labels = files.filter((f) => f.head[3] === 1);
  if (images.length === 0 && labels.length === 0) return null;
  if (images.length !== 1 || labels.length > 1) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `needs one IDX image file and at most one IDX label file for the ${part} part, found ${images.length} and ${labels.length}`,
      "Put each data set in a folder of its own.",
    );
  }
  const image = await parseIdx(images[0]!);
  const label = labels.length === 1 ? await parseIdx(labels[0]!) : null;
  const [count, ...shape] = image.shape as [number, ...number[]];
  if (label?.values instanceof Float32Array && !label.values.every(Number.isInteger)) {
    throw new IdapError("E_DATA_LABEL", `${labels[0]!.name} holds labels that are no whole numbers`);
  }
  if (label !== null && label.shape[0] !== count) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${images[0]!.name} has ${count} samples but ${labels[0]!.name} has ${label.shape[0]} labels`,
      "Are they from the same data set?",
    );
  }
  return {
    count,
    shape: shape.length === 2 ? [...shape, 1] : shape,
    values: image.values,
    labels: label === null ? null : Int32Array.from(label.values),
    labelFile: labels[0]?.name ?? images[0]!.name,
  };
}

async function parseIdx(file: DataFile): Promise<{ shape: number[]; values: Uint8Array | Float32Array }> {
  const bytes = await readBytes(file.path);
  const rank = bytes[3]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape: number[] = [];
  let size = 1;
  for (let i = 0; i < rank; i++) {
    const d = bytes.length >= 8 + 4 * i ? view.getUint32(4 + 4 * i) : 0;
    shape.push(d);
    size *= d;
  }
  const start = 4 + 4 * rank;
  const type = TYPES.get(bytes[2]!)!;
  if (bytes.length !== start + size * type.bytes || size === 0) {
    throw new IdapError(
      "E_DATA_TRUNCATED",
      `${path.basename(file.path)} should hold ${shape.join(" x ")} = ${size} values of ${type.bytes} bytes after its header, but has ${Math.max(0, bytes.length - start)} bytes`,
      "The file is probably cut off: fetch it again.",
    );
  }
  if (bytes[2] === 0x08) return { shape, values: bytes.subarray(start) };
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    values[i] = type.read(view, start + i * type.bytes);
    if (!Number.isFinite(values[i])) {
      throw new IdapError("E_DATA_FORMAT", `${path.basename(file.path)}: value ${i} is ${values[i]}, no finite number`);
    }
  }
  return { shape, values };
}
