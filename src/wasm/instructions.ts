/**
 * The instructions of WebAssembly that are not SIMD: what follows each opcode in the code, and how many operands it takes
 * and leaves (core specification, 5.4 and appendix A). Control, variables, calls and `select` are not here: whoever
 * walks through code treats them by themselves.
 */

/** Reads what a code section is made of. */
export class CodeReader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  byte(): number {
    return this.bytes[this.at++]!;
  }

  /** Unsigned LEB128, at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const b = this.byte();
      value += (b & 0x7f) * factor;
      if (b < 128) return value;
    }
  }

  /** Passes over a LEB128 number of any size. */
  skipNumber(): void {
    while (this.byte() >= 128);
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const out: number[] = [];
  do {
    const low = value % 128;
    value = Math.floor(value / 128);
    out.push(value > 0 ? low | 128 : low);
  } while (value > 0);
  return out;
}

/** Signed LEB128 of an i32. */
export function signedLeb(value: number): number[] {
  const out: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(low & 0x40)) || (value === -1 && low & 0x40)) return [...out, low];
    out.push(low | 128);
  }
}

/** Operands taken and left. */
export type Effect = readonly [takes: number, leaves: number];

const NUMERIC: readonly (readonly [last: number, takes: number])[] = [
  [0x45, 1], // i32.eqz
  [0x4f, 2],
  [0x50, 1], // i64.eqz
  [0x66, 2],
  [0x69, 1], // i32.popcnt
  [0x78, 2],
  [0x7b, 1], // i64.popcnt
  [0x8a, 2],
  [0x91, 1], // f32.sqrt
  [0x98, 2],
  [0x9f, 1], // f64.sqrt
  [0xa6, 2],
  [0xc4, 1], // conversions, sign extensions
];

/** Passes over the operands in the code of a plain instruction; null for what is none. */
export function plainInstruction(opcode: number, reader: CodeReader): Effect | null {
  if (opcode >= 0x28 && opcode <= 0x3e) {
    reader.skipNumber();
    reader.skipNumber();
    return opcode <= 0x35 ? [1, 1] : [2, 0];
  }
  if (opcode >= 0x45 && opcode <= 0xc4) return [NUMERIC.find(([last]) => opcode <= last)![1], 1];
  switch (opcode) {
    case 0x01: // nop
      return [0, 0];
    case 0x3f: // memory.size
      reader.byte();
      return [0, 1];
    case 0x40: // memory.grow
      reader.byte();
      return [1, 1];
    case 0x41: // i32.const
    case 0x42: // i64.const
      reader.skipNumber();
      return [0, 1];
    case 0x43: // f32.const
      reader.take(4);
      return [0, 1];
    case 0x44: // f64.const
      reader.take(8);
      return [0, 1];
    case 0xfc:
      return bulkInstruction(reader);
    default:
      return null;
  }
}

function bulkInstruction(reader: CodeReader): Effect | null {
  const code = reader.u32();
  if (code <= 7) return [1, 1]; // saturating truncations
  if (code === 10)
    reader.take(2); // memory.copy
  else if (code === 11)
    reader.take(1); // memory.fill
  else return null;
  return [3, 0];
}
