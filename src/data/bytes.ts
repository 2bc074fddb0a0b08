import { open, readFile, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { constants, gunzip, gunzipSync } from "node:zlib";
import { IdapError } from "../model/errors.js";
import type { DataFile } from "./types.js";

const gunzipAsync = promisify(gunzip);
const HEAD_BYTES = 128;

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** A file's bytes, uncompressed when they are gzip (told by content, not by name). */
export async function readBytes(file: string): Promise<Uint8Array> {
  const raw = await readFile(file);
  if (!isGzip(raw)) return raw;
  try {
    return await gunzipAsync(raw);
  } catch (error) {
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

/** The regular files of a folder (or the one file given), in the order of their names. */
export async function listDataFiles(dataPath: string): Promise<DataFile[]> {
  const info = await stat(dataPath).catch(() => null);
  if (info === null) {
    throw new IdapError(
      "E_DATA_MISSING",
      `there is no data folder or file at ${dataPath}`,
      "Give --data the path of a folder with samples.",
    );
  }
  const names = info.isDirectory()
    ? (await readdir(dataPath, { withFileTypes: true }))
        .filter((e) => !e.isDirectory() && !e.name.startsWith("."))
        .map((e) => path.join(dataPath, e.name))
    : [dataPath];
  names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return Promise.all(
    names.map(async (file) => ({
      path: file,
      name: path.basename(file).replace(/\.gz$/, ""),
      head: await readHead(file),
    })),
  );
}
