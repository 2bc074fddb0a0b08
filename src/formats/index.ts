/** Reading and writing model files. A format is one folder here and one entry below. */
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { canonicalise } from "../model/passes/canonicalise.js";
import type { Graph } from "../model/types.js";
import { isKeras, readKeras } from "./keras/read.js";
import { readOnnx } from "./onnx/read.js";
import { onnxBytes } from "./onnx/write.js";
import { readTfjs } from "./tfjs/read.js";
import { saveFolder } from "./tfjs/save.js";
import { tfjsFiles } from "./tfjs/write.js";
import { isTflite, readTflite } from "./tflite/read.js";
import { tfliteBytes } from "./tflite/write.js";

export { onnxBytes } from "./onnx/write.js";
export { tfliteBytes } from "./tflite/write.js";

export interface ReadOptions {
  /** Extent of axis 0 of the inputs that stands for the batch where the file fixes it. Default 1. */
  readonly batch?: number;
  /** Shapes of inputs, by name, whose extents the file leaves open. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Told the share of the model that has been read, from 0 to 1; large files take a while. */
  readonly onProgress?: (fraction: number) => void;
}

interface Source {
  readonly bytes: Uint8Array;
  /** Full path. */
  readonly path: string;
  /** Name for messages: the last part of the path. */
  readonly file: string;
  /** Name for the graph. */
  readonly name: string;
  readonly batch: number;
  readonly shapes?: ReadOptions["shapes"];
  readonly onProgress?: ReadOptions["onProgress"];
}

interface Format {
  readonly title: string;
  readonly extensions: readonly string[];
  /** Whether the bytes can be this format; the more certain formats are asked first. */
  matches(bytes: Uint8Array): boolean;
  read(source: Source): Graph;
}

const formats: readonly Format[] = [
  {
    title: "a TFLite model",
    extensions: [".tflite", ".lite"],
    matches: isTflite,
    read: ({ bytes, name, file, batch, shapes }) => readTflite(bytes, name, file, batch, shapes),
  },
  {
    title: "a Keras model",
    extensions: [".h5", ".hdf5", ".keras"],
    matches: isKeras,
    read: ({ bytes, name, file, batch, shapes }) => readKeras(bytes, name, file, batch, shapes),
  },
  {
    title: "a TensorFlow.js model",
    extensions: [".json"],
    // JSON starts with an object; the byte order mark is allowed for.
    matches: (bytes) => /^\uFEFF?\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64))),
    read: readJson,
  },
  {
    title: "an ONNX model",
    extensions: [".onnx"],
    // Protocol buffers have no magic number; writers put ir_version (field 1, varint) first.
    matches: (bytes) => bytes[0] === 0x08 && bytes.length > 16,
    read(source) {
      const { bytes, name, file, batch, shapes, onProgress } = source;
      const load = siblingReader(source, "Copy the model together with its data files.");
      return readOnnx(bytes, name, file, { batch, shapes, load, onProgress });
    },
  },
];

const READ = ".tflite, .onnx, .h5, .keras, or a TensorFlow.js model.json with its .bin files";

/**
 * Reads a model file into a graph. The content decides the format; an extension that says otherwise is an error, since
 * one of the two is a mistake. A folder with a model.json stands for that file.
 *
 * @throws IdapError E_FILE, E_FORMAT (damaged or unknown), E_UNSUPPORTED (all operators at once), ...
 */
export async function readModel(modelPath: string, options: ReadOptions = {}): Promise<Graph> {
  const { batch = 1, shapes, onProgress } = options;
  if (!Number.isSafeInteger(batch) || batch < 1) {
    throw new IdapError("E_BATCH", `the batch must be a whole number of at least 1, got ${batch}`);
  }
  const { full, bytes } = await load(modelPath);
  const file = path.basename(full);
  const extension = path.extname(file).toLowerCase();
  if (bytes.length === 0) throw new IdapError("E_FORMAT", `${file} is empty`);
  const found = formats.find((f) => f.matches(bytes));
  const named = formats.find((f) => f.extensions.includes(extension));
  if (found && named && found !== named) {
    throw new IdapError(
      "E_FORMAT",
      `${file} is named like ${named.title} but looks like ${found.title}`,
      "Rename it, or give the right file.",
    );
  }
  if (!found && named && named.title !== "an ONNX model") {
    throw new IdapError(
      "E_FORMAT",
      `${file} is not ${named.title}: its first bytes are not those of one`,
      "Was an error page or a Git LFS pointer saved under this name? Copy or download the file again.",
    );
  }
  const format = found ?? named;
  if (!format) throw new IdapError("E_FORMAT", `${file} is no model that can be read`, `Give ${READ}.`);
  const stem = path.basename(file, path.extname(file));
  const name = stem === "model" ? path.basename(path.dirname(path.resolve(full))) || stem : stem;
  return guarded(file, () => canonicalise(format.read({ bytes, path: full, file, name, batch, shapes, onProgress })));
}

async function load(modelPath: string): Promise<{ full: string; bytes: Uint8Array }> {
  try {
    const isFolder = (await stat(modelPath)).isDirectory();
    const full = isFolder ? path.join(modelPath, "model.json") : modelPath;
    return { full, bytes: await readFile(full) };
  } catch (error) {
    throw new IdapError("E_FILE", `cannot read ${modelPath}: ${reasonOf(error)}`, `Give ${READ}.`);
  }
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EEXIST" || code === "ENOTDIR") return "a part of the path is a file";
  return error instanceof Error ? error.message : String(error);
}

/** Characters of a message; names in damaged files can be of any length. */
const LONGEST_MESSAGE = 4000;

/** Damaged numbers can still make the engine refuse an allocation or an index; that is the file's fault, not ours. */
function guarded(file: string, read: () => Graph): Graph {
  try {
    return read();
  } catch (error) {
    if (error instanceof IdapError && error.message.length > LONGEST_MESSAGE) {
      throw new IdapError(error.code, `${error.message.slice(0, LONGEST_MESSAGE)} ...`, error.hint);
    }
    if (error instanceof RangeError) {
      throw new IdapError("E_FORMAT", `${file} is damaged: ${error.message}`, "Copy or download the file again.");
    }
    throw error;
  }
}

function readJson(source: Source): Graph {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(source.bytes));
  } catch (error) {
    throw new IdapError("E_FORMAT", `${source.file} is no valid JSON: ${(error as Error).message}`);
  }
  const readShard = siblingReader(source, "Copy model.json together with all its .bin files.");
  return readTfjs(json, source.name, source.file, readShard, source.batch, source.shapes);
}

/**
 * Reads files that a model names relative to itself: never outside its folder, each from disk once. `hint` is what a
 * user is told to do about one that is missing.
 */
function siblingReader(source: Source, hint: string): (relative: string) => Uint8Array {
  const folder = path.dirname(source.path);
  const known = new Map<string, Uint8Array>();
  return (relative) => {
    const full = path.resolve(folder, relative);
    if (path.isAbsolute(relative) || path.relative(folder, full).startsWith("..")) {
      throw new IdapError("E_FORMAT", `${source.file} refers to weights outside its folder: ${relative}`);
    }
    try {
      const bytes = known.get(full) ?? readFileSync(full);
      known.set(full, bytes);
      return bytes;
    } catch (error) {
      throw new IdapError("E_FILE", `${source.file} needs the weights ${relative} beside it: ${reasonOf(error)}`, hint);
    }
  };
}

/** Formats that can be written. */
export type WriteFormat = "onnx" | "tflite" | "tfjs";

/** Formats of one file. */
const writers: Readonly<Record<string, (graph: Graph) => Uint8Array>> = { onnx: onnxBytes, tflite: tfliteBytes };

/**
 * Writes a graph as a model file; the same graph gives the same bytes. The file appears whole or not at all. For "tfjs"
 * the path is that of a folder, or of the model.json in it.
 */
export async function writeModel(graph: Graph, modelPath: string, format: WriteFormat): Promise<void> {
  if (format === "tfjs") return writeTfjs(graph, modelPath);
  if (!Object.hasOwn(writers, format)) {
    const known = [...Object.keys(writers), "tfjs"].join(", ");
    throw new IdapError("E_FORMAT", `models cannot be written as ${String(format)}; ${known} can be written`);
  }
  const bytes = writers[format]!(graph);
  const temporary = `${modelPath}.partial`;
  try {
    await mkdir(path.dirname(modelPath), { recursive: true });
    await writeFile(temporary, bytes);
    await rename(temporary, modelPath);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new IdapError("E_FILE", `cannot write ${modelPath}: ${reasonOf(error)}`);
  }
}

async function writeTfjs(graph: Graph, modelPath: string): Promise<void> {
  const files = tfjsFiles(graph);
  try {
    await saveFolder(files, modelPath);
  } catch (error) {
    if (error instanceof IdapError) throw error;
    throw new IdapError("E_FILE", `cannot write ${modelPath}: ${reasonOf(error)}`);
  }
}
