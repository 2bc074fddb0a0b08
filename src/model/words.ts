import { IdapError } from "./errors.js";
import type { Dtype, TensorData } from "./types.js";

/** What kernels compute on: f32 as it is, every other dtype as i32. */
export type Words = Float32Array | Int32Array;

export function isInteger(dtype: Dtype): boolean {
  return dtype !== "f32";
}

/** A view of `length` words in a module's memory. */
export function wordsAt(memory: WebAssembly.Memory, dtype: Dtype, address: number, length: number): Words {
  const View = isInteger(dtype) ? Int32Array : Float32Array;
  return new View(memory.buffer, address, length);
}

/** Values of any dtype as words; throws E_RANGE for an i64 beyond 32 bits. */
export function toWords(data: TensorData, what: string): Words {
  if (data instanceof Float32Array || data instanceof Int32Array) return data;
  if (!(data instanceof BigInt64Array)) return Int32Array.from(data);
  const words = new Int32Array(data.length);
  data.forEach((value, i) => {
    words[i] = Number(value);
    if (BigInt(words[i]) !== value) {
      throw new IdapError(
        "E_RANGE",
        `${what} holds ${value}, which does not fit in 32 bits`,
        "Integers are computed in 32 bits; use smaller ones.",
      );
    }
  });
  return words;
}

/** Words as an array of the interface's dtype. */
export function fromWords(words: Words, dtype: Dtype): TensorData {
  switch (dtype) {
    case "f32":
    case "i32":
      return words;
    case "i8":
      return Int8Array.from(words);
    case "u8":
    case "bool":
      return Uint8Array.from(words);
    case "i64":
      return BigInt64Array.from(words as Int32Array, BigInt);
  }
}

/** Bytes that a constant takes among others: a multiple of 16, so that vectors may be read to their end. */
export function packedBytes(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

/** Constants one after another as they lie in memory. */
export function packWords(parts: readonly Words[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + packedBytes(p.byteLength), 0));
  let at = 0;
  for (const part of parts) {
    out.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += packedBytes(part.byteLength);
  }
  return out;
}
