import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { IdapError } from "../../model/errors.js";
import { checkSize, readBytes } from "../bytes.js";
import { checkLabels, countClasses } from "../labels.js";
import type { FileFormat, Samples } from "../types.js";

const partSchema = z.strictObject({
  /** Samples one after another, C order, little-endian; .gz too. Relative to the description. */
  values: z.string(),
  /** A text file with one sample on a line, in the order of `values`. */
  labels: z.string().optional(),
  /** Column of the label in a comma-separated line, from 0; default: the last. */
  column: z.int().nonnegative().optional(),
});

const schema = z.strictObject({
  sample: z.strictObject({
    dtype: z.enum(["u8", "i8", "f32"]),
    shape: z.array(z.int().positive()).min(1),
    /** real = scale * (stored - zeroPoint). */
    scale: z.number().positive().default(1),
    zeroPoint: z.number().default(0),
  }),
  classes: z.int().positive().optional(),
  train: partSchema.optional(),
  test: partSchema.optional(),
});

type Description = z.infer<typeof schema>;

/**
 * Any tensor file, described by a small `idap-data.json` beside it (or elsewhere, with paths):
 *
 * ```json
 * { "sample": { "dtype": "i8", "shape": [49, 10, 1], "scale": 0.5847029, "zeroPoint": 83 },
 *   "classes": 12,
 *   "train": { "values": "features.bin", "labels": "labels.csv", "column": 2 } }
 * ```
 */
export const raw: FileFormat = {
  name: "raw",
  summary: "any tensor file that an idap-data.json describes",
  explicit: true,
  detect: (files) =>
    files.filter((f) => f.name === "idap-data.json" || (files.length === 1 && f.name.endsWith(".json"))),
  async read(files, options) {
    const file = files[0]!.path;
    const description = await readDescription(file);
    const folder = path.dirname(file);
    const train = description.train === undefined ? null : await readPart(folder, description, description.train);
    const test = description.test === undefined ? null : await readPart(folder, description, description.test);
    const classes = options.classes ?? description.classes ?? countClasses(train?.labels ?? null, test?.labels ?? null);
    if (train?.labels) checkLabels(train.labels, classes, description.train!.labels!);
    if (test?.labels) checkLabels(test.labels, classes, description.test!.labels!);
    const { scale, zeroPoint } = description.sample;
    return { train, test, classes, scale, zeroPoint };
  },
};

async function readDescription(file: string): Promise<Description> {
  let json: unknown;
  try {
    checkSize((await stat(file)).size * 64, path.basename(file));
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof IdapError) throw error;
    throw new IdapError("E_DATA_FORMAT", `${path.basename(file)} is not JSON: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new IdapError(
      "E_DATA_FORMAT",
      `${path.basename(file)} does not describe a data set: ${issue.path.join(".") || "the whole"}: ${issue.message}`,
    );
  }
  if (parsed.data.train === undefined && parsed.data.test === undefined) {
    throw new IdapError("E_DATA_FORMAT", `${path.basename(file)} describes neither a train nor a test part`);
  }
  return parsed.data;
}

async function readPart(folder: string, d: Description, part: z.infer<typeof partSchema>): Promise<Samples> {
  const bytes = await readListed(folder, part.values);
  const width = d.sample.dtype === "f32" ? 4 : 1;
  const sampleBytes = width * d.sample.shape.reduce((a, b) => a * b, 1);
  const count = bytes.length / sampleBytes;
  if (!Number.isInteger(count) || count === 0) {
    throw new IdapError(
      "E_DATA_TRUNCATED",
      `${part.values} has ${bytes.length} bytes, which is not a whole number of samples of ${sampleBytes} bytes ([${d.sample.shape.join(", ")}] ${d.sample.dtype})`,
      "Is the file cut off, or the shape or dtype in the description wrong?",
    );
  }
  const labels = part.labels === undefined ? null : parseLabels(await readListed(folder, part.labels), part);
  if (labels !== null && labels.length !== count) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${part.values} has ${count} samples but ${part.labels} has ${labels.length} labels`,
    );
  }
  return { count, shape: d.sample.shape, values: asValues(bytes, d.sample.dtype), labels };
}

async function readListed(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readBytes(path.resolve(folder, name));
  } catch (error) {
    if (error instanceof IdapError) throw error;
    throw new IdapError(
      "E_DATA_MISSING",
      `${name}, which idap-data.json names, cannot be read: ${(error as Error).message}`,
    );
  }
}

function asValues(bytes: Uint8Array, dtype: "u8" | "i8" | "f32"): Samples["values"] {
  if (dtype === "u8") return bytes;
  if (dtype === "i8") return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return new Float32Array(bytes.slice().buffer);
}

function parseLabels(bytes: Uint8Array, part: z.infer<typeof partSchema>): Int32Array {
  const lines = new TextDecoder()
    .decode(bytes)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "");
  return Int32Array.from(lines, (line, i) => {
    const fields = line.split(",");
    const text = fields[part.column ?? fields.length - 1]?.trim() ?? "";
    if (!/^-?\d+$/.test(text)) {
      throw new IdapError("E_DATA_LABEL", `${part.labels} line ${i + 1}: needs a whole number as label, got "${text}"`);
    }
    return Number(text);
  });
}
