/**
 * A module without SIMD that computes the bits of one with it: every vector becomes scalars, one for each lane, and every
 * vector instruction the same operation on each of them. Kernels are written once, with vectors; adding one adds nothing
 * here unless it takes an instruction that no kernel took before.
 *
 * The same bits: lanes are separate in nearly all instructions, and the order of what is added stays the program's. The one
 * exception is the payload of a NaN, which the specification leaves open for both.
 *
 * Functions that return a vector must treat all lanes alike (exponentials and the like). They become functions of one lane.
 */
import { invariant } from "../model/errors.js";
import { binaryOf, sectionsOf, type Section } from "./binary.js";
import { CodeReader, leb } from "./instructions.js";
import { VALUE_TYPE } from "./lanes.js";
import { scalarFunction } from "./scalar-function.js";
import { isV128 } from "./vectors.js";
import { usesSimd } from "./walk.js";

const TYPE = 1,
  IMPORT = 2,
  FUNCTION = 3,
  CODE = 10;

/** Types of parameters and results, as WebAssembly numbers them. */
export interface Signature {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

export function withoutSimd(wasm: Uint8Array): Uint8Array {
  const sections = sectionsOf(wasm);
  const section = (id: number): CodeReader => new CodeReader(sections.find((s) => s.id === id)!.body);
  invariant(!sections.some((s) => s.id === IMPORT), "emitted modules import nothing");
  const types = list(section(TYPE), signature);
  const functions = list(section(FUNCTION), (r) => types[r.u32()]!);
  const code = list(section(CODE), (r) => r.take(r.u32()));

  const bodies = code.map((body, i) => scalarFunction(body, functions[i]!, functions));
  const scalars = functions.map(scalarSignature);
  const text = scalars.map((s) => s.join());
  const unique = [...new Set(text)];
  const replaced: Record<number, number[]> = {
    [TYPE]: [...leb(unique.length), ...unique.flatMap((t) => t.split(",").map(Number))],
    [FUNCTION]: [...leb(text.length), ...text.flatMap((t) => leb(unique.indexOf(t)))],
  };
  return binaryOf(
    sections.map(({ id, body }): Section => {
      if (id === CODE) return { id, body: Uint8Array.from(codeSection(bodies)) };
      return { id, body: replaced[id] ? Uint8Array.from(replaced[id]) : body };
    }),
  );
}

function codeSection(bodies: readonly number[][]): Uint8Array {
  return Buffer.concat([
    Uint8Array.from(leb(bodies.length)),
    ...bodies.flatMap((b) => [Uint8Array.from(leb(b.length)), Uint8Array.from(b)]),
  ]);
}

function list<T>(reader: CodeReader, item: (reader: CodeReader) => T): T[] {
  return Array.from({ length: reader.u32() }, () => item(reader));
}

function signature(reader: CodeReader): Signature {
  invariant(reader.byte() === 0x60, "types are those of functions");
  const params = [...reader.take(reader.u32())];
  return { params, results: [...reader.take(reader.u32())] };
}

/** The signature's bytes with a lane for a vector, or four where the function treats them differently. */
function scalarSignature({ params, results }: Signature): number[] {
  const lanes = results.some(isV128) ? 1 : 4;
  const scalar = (type: number): number[] =>
    isV128(type) ? Array.from({ length: lanes }, () => VALUE_TYPE.f32) : [type];
  const [inputs, outputs] = [params.flatMap(scalar), results.flatMap(scalar)];
  return [0x60, ...leb(inputs.length), ...inputs, ...leb(outputs.length), ...outputs];
}

/** Whether any instruction or type of SIMD is left: an opcode 0xfd, or v128 among types. */
export function hasSimd(wasm: Uint8Array): boolean {
  const sections = sectionsOf(wasm);
  const code = sections.find((s) => s.id === CODE);
  const types = sections.find((s) => s.id === TYPE);
  if (types && list(new CodeReader(types.body), signature).some((t) => [...t.params, ...t.results].some(isV128))) {
    return true;
  }
  return code !== undefined && list(new CodeReader(code.body), (r) => r.take(r.u32())).some(usesSimd);
}
