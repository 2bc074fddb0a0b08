import { IdapError } from "../../model/errors.js";

/**
 * Bounds what a file can make the reader allocate. Formats let many tensors refer to the same bytes, so a small
 * damaged file could otherwise ask for gigabytes.
 */
export class Budget {
  private left: number;

  /** @param fileBytes size of everything that was read from disk */
  constructor(
    private readonly file: string,
    fileBytes: number,
  ) {
    this.left = 32 * fileBytes + (1 << 20);
  }

  charge(bytes: number): void {
    this.left -= bytes;
    if (!(this.left >= 0)) {
      throw new IdapError("E_FORMAT", `${this.file} is damaged: its constants are many times larger than the file`);
    }
  }
}

/** A copy that owns its memory from byte 0 on; `slice` of a Node `Buffer` would share it. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A copy of little-endian 32-bit floats; `bytes` needs no alignment. Machines that run this are little-endian. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(copyOf(bytes).buffer);
}

export function int32sOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(copyOf(bytes).buffer);
}

export function int64sOf(bytes: Uint8Array): BigInt64Array {
  return new BigInt64Array(copyOf(bytes).buffer);
}

/** IEEE 754 binary16 values, exactly, from their bit patterns. */
export function halvesToFloats(halves: ArrayLike<number>): Float32Array {
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) {
    const h = halves[i]!;
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    const magnitude =
      exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    out[i] = h & 0x8000 ? -magnitude : magnitude;
  }
  return out;
}

/** Little-endian 16-bit unsigned integers. */
export function uint16sOf(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(copyOf(bytes).buffer);
}
