/** Passing over code: instructions whose effect nobody asks for. */
import { invariant } from "../model/errors.js";
import { CodeReader, plainInstruction } from "./instructions.js";
import { isV128 } from "./vectors.js";

/** Passes over the operands in the code of a SIMD instruction. */
export function skipSimdOperands(op: number, reader: CodeReader): void {
  if (op <= 0x0b || (op >= 0x54 && op <= 0x5d)) {
    reader.skipNumber();
    reader.skipNumber();
    if (op >= 0x54 && op <= 0x5b) reader.byte();
  } else if (op === 0x0c || op === 0x0d) reader.take(16);
  else if (op >= 0x15 && op <= 0x22) reader.byte();
}

/** Passes over the operands in the code of any instruction; true if it is one of SIMD. */
export function skipInstruction(opcode: number, reader: CodeReader): boolean {
  if (opcode === 0xfd) {
    skipSimdOperands(reader.u32(), reader);
    return true;
  }
  if (plainInstruction(opcode, reader)) return false;
  switch (opcode) {
    case 0x00: // unreachable
    case 0x05: // else
    case 0x0b: // end
    case 0x0f: // return
    case 0x1a: // drop
    case 0x1b: // select
      return false;
    case 0x1c: {
      const types = reader.take(reader.u32());
      return [...types].some(isV128);
    }
    case 0x02: // block, loop, if
    case 0x03:
    case 0x04: {
      const { at } = reader;
      reader.skipNumber();
      return isV128(reader.bytes[at]!);
    }
    case 0x0c: // br, br_if, call, locals and globals
    case 0x0d:
    case 0x10:
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
    case 0x24:
      reader.skipNumber();
      return false;
    case 0x0e: // br_table
      for (let n = reader.u32() + 1; n > 0; n--) reader.skipNumber();
      return false;
    default:
      invariant(false, `the instruction 0x${opcode.toString(16)} is in no emitted module`);
  }
}

/** Whether a function's locals or code have anything of SIMD. */
export function usesSimd(body: Uint8Array): boolean {
  const reader = new CodeReader(body);
  for (let n = reader.u32(); n > 0; n--) {
    reader.skipNumber();
    if (isV128(reader.byte())) return true;
  }
  while (reader.at < reader.end) if (skipInstruction(reader.byte(), reader)) return true;
  return false;
}
