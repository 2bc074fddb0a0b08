/** Reading and editing the few parts of a WebAssembly binary that a package states or hides: sections, no code. */
import { CodeReader, leb, signedLeb } from "./instructions.js";

export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

const CUSTOM = 0,
  IMPORT = 2,
  MEMORY = 5,
  EXPORT = 7,
  DATA = 11;
const HEADER = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

function readUnsigned(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0, i = at; ; i++, shift += 7) {
    const byte = bytes[i]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 128) return { value, next: i + 1 };
  }
}

export function sectionsOf(wasm: Uint8Array): Section[] {
  const sections: Section[] = [];
  for (let at = HEADER.length; at < wasm.length;) {
    const id = wasm[at]!;
    const { value: length, next } = readUnsigned(wasm, at + 1);
    sections.push({ id, body: wasm.subarray(next, next + length) });
    at = next + length;
  }
  return sections;
}

export function binaryOf(sections: readonly Section[]): Uint8Array {
  const parts: Uint8Array[] = [HEADER];
  for (const { id, body } of sections) parts.push(Uint8Array.of(id, ...leb(body.length)), body);
  return Uint8Array.from(Buffer.concat(parts));
}

/** The module with bytes that are in its memory, at a constant address, as soon as it is instantiated. */
export function withData(sections: readonly Section[], offset: number, data: Uint8Array): Section[] {
  const head = [1, 0, 0x41, ...signedLeb(offset | 0), 0x0b, ...leb(data.length)];
  const body = Uint8Array.from(Buffer.concat([Uint8Array.from(head), data]));
  return [...sections, { id: DATA, body }];
}

/** The bytes of the one segment that `withData` writes; null where there is none. */
export function dataOf(sections: readonly Section[]): Uint8Array | null {
  const data = sections.find((s) => s.id === DATA);
  if (!data) return null;
  const reader = new CodeReader(data.body);
  reader.take(3);
  reader.skipNumber();
  reader.take(1);
  return reader.take(reader.u32());
}

/** Without bytes of its memory. */
export const dropData = (sections: readonly Section[]): Section[] => sections.filter((s) => s.id !== DATA);

/** Removes exported names (not what they name). */
export function dropExports(sections: readonly Section[], drop: (name: string) => boolean): Section[] {
  return sections.map((section) => {
    if (section.id !== EXPORT) return section;
    const { body } = section;
    const kept: Uint8Array[] = [];
    let { value: count, next: at } = readUnsigned(body, 0);
    for (; count > 0; count--) {
      const { value: length, next } = readUnsigned(body, at);
      const end = readUnsigned(body, next + length + 1).next;
      if (!drop(Buffer.from(body.subarray(next, next + length)).toString("utf8"))) kept.push(body.subarray(at, end));
      at = end;
    }
    return { id: EXPORT, body: Uint8Array.from(Buffer.concat([Uint8Array.from(leb(kept.length)), ...kept])) };
  });
}

/** Removes custom sections of other tools (names, producers), which describe the compiler, not the network. */
export const dropCustom = (sections: readonly Section[]): Section[] => sections.filter((s) => s.id !== CUSTOM);

export function withCustom(sections: readonly Section[], name: string, content: Uint8Array): Section[] {
  const label = Buffer.from(name, "utf8");
  const body = Uint8Array.from(Buffer.concat([Uint8Array.from(leb(label.length)), label, content]));
  return [...sections, { id: CUSTOM, body }];
}

/** Contents of a custom section, or null. */
export function customSection(wasm: Uint8Array, name: string): Uint8Array | null {
  for (const { id, body } of sectionsOf(wasm)) {
    if (id !== CUSTOM) continue;
    const { value: length, next } = readUnsigned(body, 0);
    if (Buffer.from(body.subarray(next, next + length)).toString("utf8") === name) return body.subarray(next + length);
  }
  return null;
}

export interface ModuleFacts {
  readonly imports: number;
  /** Bytes of data segments' section; only modules with their weights inside have one. */
  readonly dataBytes: number;
  readonly memory: { readonly initial: number; readonly maximum: number | null } | null;
}

export function factsOf(wasm: Uint8Array): ModuleFacts {
  let imports = 0,
    dataBytes = 0;
  let memory: ModuleFacts["memory"] = null;
  for (const { id, body } of sectionsOf(wasm)) {
    if (id === IMPORT) imports = readUnsigned(body, 0).value;
    if (id === DATA) dataBytes = body.length;
    if (id === MEMORY && body[0]! > 0) {
      const initial = readUnsigned(body, 2);
      memory = { initial: initial.value, maximum: body[1]! & 1 ? readUnsigned(body, initial.next).value : null };
    }
  }
  return { imports, dataBytes, memory };
}
