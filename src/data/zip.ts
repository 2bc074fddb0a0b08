import { inflateRawSync } from "node:zlib";
import { IdapError } from "../model/errors.js";
import { checkSize } from "./bytes.js";

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/**
 * The entries of a zip archive (PKWARE APPNOTE 6.3; stored and deflated, no zip64, no encryption), by name.
 * Sizes are taken from the central directory, because writers of streams leave them out of the local headers.
 */
export function unzip(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): IdapError =>
    new IdapError("E_DATA_TRUNCATED", `${file} is not a whole zip archive: ${what}`, "Fetch the file again.");
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw damaged("its directory is missing");
  const entries = new Map<string, Uint8Array>();
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== CENTRAL) throw damaged(`entry ${i} of its directory`);
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (local + 30 > bytes.length || view.getUint32(local, true) !== LOCAL) throw damaged(`header of ${name}`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const data = bytes.subarray(start, start + packed);
    if (data.length !== packed) throw damaged(`data of ${name}`);
    if (method !== 0 && method !== 8) {
      throw new IdapError(
        "E_DATA_FORMAT",
        `${file}: ${name} is compressed with method ${method}; stored and deflated are read`,
      );
    }
    // What the directory promises bounds what is unpacked: a small archive may hold any number of zeros.
    total += size;
    checkSize(total, `${file}, unpacked,`);
    try {
      entries.set(name, method === 0 ? data : inflateRawSync(data, { maxOutputLength: Math.max(1, size) }));
    } catch (error) {
      throw damaged(`${name}: ${(error as Error).message}`);
    }
  }
  return entries;
}
