import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { deflateRawSync } from "node:zlib";
import { onTestFinished } from "vitest";

/** A folder with these files, removed when the test ends. */
export function folderWith(files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), "idap-data-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return folder;
}

/** CIFAR-10 records: label `labels[i]`, red = i, green = 100 + i, blue = 200 + (pixel index mod 50). */
export function cifarFile(labels: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(labels.length * 3073);
  labels.forEach((label, i) => {
    const at = i * 3073;
    bytes[at] = label;
    bytes.fill(i, at + 1, at + 1025);
    bytes.fill(100 + i, at + 1025, at + 2049);
    for (let p = 0; p < 1024; p++) bytes[at + 2049 + p] = 200 + (p % 50);
  });
  return bytes;
}

export function idxFile(shape: readonly number[], values: Iterable<number>): Uint8Array {
  const data = Uint8Array.from(values);
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  bytes.set([0, 0, 8, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((d, i) => view.setUint32(4 + 4 * i, d));
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

export function npyFile(descr: string, shape: readonly number[], data: Uint8Array, fortran = false): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  let header = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${tuple}, }`;
  header = `${header.padEnd(118 - 1)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.length);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}

/** A zip archive with deflated entries, sizes in the central directory only (as streaming writers do). */
export function zipFile(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const chunks: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const packed = deflateRawSync(content);
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(8, 8);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    entry.write(name, 46);
    chunks.push(local, packed);
    central.push(entry);
    offset += local.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(central.length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...chunks, ...central, end]);
}

/** What a WAV file can hold: the tag and bits of its samples, and how many channels. */
export interface WavKind {
  readonly tag?: number;
  readonly bits: number;
  readonly rate?: number;
  readonly channels?: number;
}

/** A WAV file of samples in -1..1 (channels side by side), with a chunk of odd length before them. */
export function wavFile(samples: ArrayLike<number>, { tag = 1, bits, rate = 8000, channels = 1 }: WavKind): Uint8Array {
  const width = bits / 8;
  const bytes = Buffer.alloc(12 + 24 + 12 + 8 + samples.length * width);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(tag, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * width * channels, 28);
  bytes.writeUInt16LE(width * channels, 32);
  bytes.writeUInt16LE(bits, 34);
  bytes.write("odd ", 36);
  bytes.writeUInt32LE(3, 40);
  bytes.write("data", 48);
  bytes.writeUInt32LE(samples.length * width, 52);
  for (let i = 0; i < samples.length; i++) {
    const at = 56 + i * width;
    const x = samples[i]!;
    if (tag === 3) {
      if (bits === 32) bytes.writeFloatLE(x, at);
      else bytes.writeDoubleLE(x, at);
    } else if (bits === 8) bytes.writeUInt8(Math.round(x * 128) + 128, at);
    else bytes.writeIntLE(Math.min(Math.round(x * 2 ** (bits - 1)), 2 ** (bits - 1) - 1), at, width);
  }
  return bytes;
}
