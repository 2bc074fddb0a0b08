/** Loads and stores of vectors by scalars (see scalar-function.ts). */
import { invariant } from "../model/errors.js";
import { leb, type CodeReader } from "./instructions.js";
import { VALUE_TYPE, type Kind } from "./lanes.js";
import type { Body, Vec } from "./vectors.js";

/** The stack of a function that loses its vectors. */
export interface VectorStack {
  readonly reader: CodeReader;
  readonly out: Body;
  /** Takes a vector off. */
  vec(): Vec;
  push(vec: Vec): void;
  /** Takes a scalar off into a local; `use` puts it back as often as it likes. */
  spilled(type: number, use: (local: number) => void): void;
  /** What a function that returns a vector must not do. */
  alike(condition: boolean): void;
}

/** Loads and stores: of four lanes, of one for all of them, of one, of two. */
export function memoryInstruction(op: number, stack: VectorStack): void {
  const { reader, out } = stack;
  const align = Math.min(reader.u32(), 2);
  const offset = reader.u32();
  const load = (address: number, plus = 0, code = 0x2a): void => {
    out.get(address);
    out.emit(code, ...leb(align), ...leb(offset + plus));
  };
  const store = (address: number, plus: number, put: () => void): void => {
    out.get(address);
    put();
    out.emit(0x38, ...leb(align), ...leb(offset + plus));
  };
  const loaded = (uniform: boolean, put: (address: number, lane: number) => void, kind: Kind = "f32"): void => {
    stack.spilled(VALUE_TYPE.i32, (address) => stack.push(out.vector(kind, uniform, (i) => put(address, i))));
  };
  const zero = (): void => out.emit(0x43, 0, 0, 0, 0);
  switch (op) {
    case 0x00: // v128.load
      return loaded(false, (address, i) => load(address, 4 * i));
    case 0x09: // load32_splat
      return loaded(true, (address) => load(address));
    case 0x0a: // load64_splat
      return loaded(true, (address) => load(address, 0, 0x2b), "f64");
    case 0x5c: // load32_zero
      return loaded(false, (address, i) => (i < 1 ? load(address) : zero()));
    case 0x5d: // load64_zero
      return loaded(false, (address, i) => (i < 2 ? load(address, 4 * i) : zero()));
    case 0x56: // load32_lane, load64_lane
    case 0x57: {
      const lane = reader.byte();
      const [first, count] = op === 0x56 ? [lane, 1] : [2 * lane, 2];
      const from = stack.vec();
      loaded(false, (address, i) => {
        if (i >= first && i < first + count) load(address, 4 * (i - first));
        else out.lane(from, i, "f32");
      });
      return out.releaseVec(from);
    }
    case 0x0b: // v128.store
      return stored(stack, (address, vec) => {
        for (let i = 0; i < 4; i++) store(address, 4 * i, () => out.lane(vec, i, "f32"));
      });
    case 0x5a: {
      // store32_lane
      const lane = reader.byte();
      return stored(stack, (address, vec) => store(address, 0, () => out.lane(vec, lane, "f32")));
    }
    case 0x5b: {
      // store64_lane
      const lane = reader.byte();
      return stored(stack, (address, vec) => {
        for (const i of [0, 1]) store(address, 4 * i, () => out.lane(vec, 2 * lane + i, "f32"));
      });
    }
    default:
      invariant(false, `the SIMD instruction 0x${op.toString(16)} has no scalar form yet: see src/wasm/lanes.ts`);
  }
}

function stored(stack: VectorStack, put: (address: number, vec: Vec) => void): void {
  stack.alike(false);
  const vec = stack.vec();
  stack.spilled(VALUE_TYPE.i32, (address) => put(address, vec));
  stack.out.releaseVec(vec);
}
