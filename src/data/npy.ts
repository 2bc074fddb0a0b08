import { IdapError } from "../model/errors.js";

export interface NpyArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array;
}

/** Element types that are read; 64-bit values are narrowed, which labels and pixels survive. */
const READERS: Readonly<Record<string, { bytes: number; read: (v: DataView, n: number) => NpyArray["values"] }>> = {
  "|u1": { bytes: 1, read: (v) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength) },
  "|b1": { bytes: 1, read: (v) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength) },
  "|i1": { bytes: 1, read: (v) => new Int8Array(v.buffer, v.byteOffset, v.byteLength) },
  "<u2": { bytes: 2, read: (v, n) => Int32Array.from({ length: n }, (_, i) => v.getUint16(2 * i, true)) },
  "<i2": { bytes: 2, read: (v, n) => Int16Array.from({ length: n }, (_, i) => v.getInt16(2 * i, true)) },
  "<i4": { bytes: 4, read: (v, n) => Int32Array.from({ length: n }, (_, i) => v.getInt32(4 * i, true)) },
  "<u4": { bytes: 4, read: (v, n) => wholes(n, (i) => v.getUint32(4 * i, true)) },
  "<i8": { bytes: 8, read: (v, n) => wholes(n, (i) => Number(v.getBigInt64(8 * i, true))) },
  "<u8": { bytes: 8, read: (v, n) => wholes(n, (i) => Number(v.getBigUint64(8 * i, true))) },
  "<f2": { bytes: 2, read: (v, n) => fill(n, (i) => half(v.getUint16(2 * i, true))) },
  "<f4": { bytes: 4, read: (v, n) => fill(n, (i) => v.getFloat32(4 * i, true)) },
  "<f8": { bytes: 8, read: (v, n) => fill(n, (i) => v.getFloat64(8 * i, true)) },
};

function fill(n: number, get: (i: number) => number): Float32Array {
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) out[i] = get(i);
  return out;
}

/** Wide integers as 32-bit ones where all of them fit, else as floats. */
function wholes(n: number, get: (i: number) => number): Int32Array | Float32Array {
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const value = get(i);
    if (value !== (value | 0)) return fill(n, get);
    out[i] = value;
  }
  return out;
}

/** IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 of fraction. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  // 2^(exponent - 25) by a shift of an exact power, so that nothing rounds.
  return sign * (exponent === 0 ? fraction : (1024 + fraction) * (1 << (exponent - 1))) * 2 ** -24;
}

export const isNpy = (head: Uint8Array): boolean =>
  head[0] === 0x93 && "NUMPY".split("").every((c, i) => head[i + 1] === c.charCodeAt(0));

/**
 * Reads one array of numpy's .npy format (versions 1 to 3, C order): magic, version, header length,
 * a Python dictionary as text, values.
 * Source: numpy `lib/format.py`, "NEP 1: a simple file format for NumPy arrays".
 */
export function parseNpy(bytes: Uint8Array, name: string): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isNpy(bytes) || bytes.length < 12) {
    throw new IdapError("E_DATA_FORMAT", `${name} is not a .npy file: it does not begin with \\x93NUMPY`);
  }
  const wide = bytes[6]! >= 2;
  const headerLength = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + headerLength;
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, start));
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (descr === undefined || shapeText === undefined) {
    throw new IdapError("E_DATA_FORMAT", `${name}: its header names no plain dtype and shape: ${header.trim()}`);
  }
  if (/'fortran_order':\s*True/.test(header)) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${name} is stored in Fortran order; C order is read`,
      "Save it again with numpy.ascontiguousarray(...).",
    );
  }
  const reader = Object.hasOwn(READERS, descr) ? READERS[descr] : undefined;
  if (reader === undefined) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${name} has dtype ${descr}; these are read: ${Object.keys(READERS).join(", ")}`,
    );
  }
  const extents = shapeText.split(",").filter((s) => s.trim() !== "");
  if (!extents.every((s) => /^\s*\d{1,15}L?\s*$/.test(s))) {
    throw new IdapError("E_DATA_FORMAT", `${name}: its shape (${shapeText.slice(0, 80)}) is no list of whole numbers`);
  }
  const shape = extents.map((s) => parseInt(s, 10));
  const size = shape.reduce((a, b) => a * b, 1);
  if (bytes.length < start + size * reader.bytes) {
    throw new IdapError(
      "E_DATA_TRUNCATED",
      `${name} should hold ${size} values of ${descr} (${size * reader.bytes} bytes) after its header, but has ${Math.max(0, bytes.length - start)} bytes`,
      "The file is probably cut off: fetch it again.",
    );
  }
  return {
    shape,
    values: reader.read(new DataView(bytes.buffer, bytes.byteOffset + start, size * reader.bytes), size),
  };
}
