import { open, readFile, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { constants, gunzip, gunzipSync } from "node:zlib";
import { IdapError } from "../model/errors.js";
import type { DataFile, NestedFile } from "./types.js";

const gunzipAsync = promisify(gunzip);
const HEAD_BYTES = 128;

/** Most bytes of one file, uncompressed, and of the samples of one part: what one array can hold on every engine. */
export const MOST_BYTES = 2 ** 31 - 1;

/** Files and folders that a data set may have, and how deep they may lie. */
const MOST_ENTRIES = 2_000_000;
const MOST_DEPTH = 4;

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** Throws E_DATA_SIZE when something would need more memory than is allowed. */
export function checkSize(bytes: number, what: string): void {
  if (bytes <= MOST_BYTES) return;
  throw new IdapError(
    "E_DATA_SIZE",
    `${what} needs ${(bytes / 1e9).toFixed(1)} GB, more than the ${(MOST_BYTES / 1e9).toFixed(1)} GB that are read at once`,
    "Use a part of the data: a pruner needs some ten thousand samples.",
  );
}

/** A file's bytes, uncompressed when they are gzip (told by content, not by name). */
export async function readBytes(file: string): Promise<Uint8Array> {
  checkSize((await stat(file)).size, path.basename(file));
  const raw = await readFile(file);
  if (!isGzip(raw)) return raw;
  try {
    return await gunzipAsync(raw, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      checkSize(MOST_BYTES + 1, `${path.basename(file)}, uncompressed,`);
    }
    throw new IdapError(
      "E_DATA_TRUNCATED",
      `${path.basename(file)} cannot be decompressed: ${(error as Error).message}`,
      "The download is probably incomplete: fetch the file again.",
    );
  }
}

/** The first bytes of a file, uncompressed; what can be decompressed of them when the file is damaged. */
async function readHead(file: string): Promise<Uint8Array> {
  const handle = await open(file, "r");
  try {
    const buffer = Buffer.alloc(1024);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    const raw = buffer.subarray(0, bytesRead);
    if (!isGzip(raw)) return raw.subarray(0, HEAD_BYTES);
    try {
      return gunzipSync(raw, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, HEAD_BYTES);
    } catch {
      return new Uint8Array(0);
    }
  } finally {
    await handle.close();
  }
}

/** Names in a folder, sorted: regular files, links to them, and folders. Pipes and devices, which may never end, are none. */
async function entriesOf(folder: string): Promise<{ files: string[]; folders: string[] }> {
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) folders.push(entry.name);
    else if (entry.isFile()) files.push(entry.name);
    else if (entry.isSymbolicLink()) {
      const target = await stat(path.join(folder, entry.name)).catch(() => null);
      if (target?.isFile()) files.push(entry.name);
    }
  }
  return { files: files.sort(byName), folders: folders.sort(byName) };
}

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The regular files of a folder (or the one file given), in the order of their names. */
export async function listDataFiles(dataPath: string): Promise<DataFile[]> {
  const info = await stat(dataPath).catch(() => null);
  if (info === null || !(info.isDirectory() || info.isFile())) {
    throw new IdapError(
      "E_DATA_MISSING",
      info === null ? `there is no data folder or file at ${dataPath}` : `${dataPath} is neither a folder nor a file`,
      "Give --data the path of a folder with samples.",
    );
  }
  const names = info.isDirectory()
    ? (await entriesOf(dataPath)).files.map((name) => path.join(dataPath, name))
    : [dataPath];
  const files: DataFile[] = [];
  for (const file of names) {
    // One at a time: a folder may hold more files than a process may open.
    files.push({ path: file, name: path.basename(file).replace(/\.gz$/, ""), head: await readHead(file) });
  }
  return files;
}

/** All files at any depth, folder by folder in the order of their names. Links to folders are not followed. */
export async function listNestedFiles(dataPath: string): Promise<NestedFile[]> {
  const found: NestedFile[] = [];
  let entries = 0;
  const walk = async (folder: string, folders: readonly string[]): Promise<void> => {
    const here = await entriesOf(folder);
    entries += here.files.length + here.folders.length;
    if (entries > MOST_ENTRIES) {
      throw new IdapError("E_DATA_SIZE", `${dataPath} holds more than ${MOST_ENTRIES} files and folders`);
    }
    for (const name of here.files) found.push({ path: path.join(folder, name), name, folders });
    if (folders.length === MOST_DEPTH) return;
    for (const name of here.folders) await walk(path.join(folder, name), [...folders, name]);
  };
  if ((await stat(dataPath)).isDirectory()) await walk(dataPath, []);
  return found;
}
