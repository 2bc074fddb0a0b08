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

export function sectionsOf(wasm: Uint8Array): Section[] {
  const sections: Section[] = [];
  const reader = new CodeReader(wasm, HEADER.length);
  while (reader.at < reader.end) sections.push({ id: reader.byte(), body: reader.take(reader.u32()) });
  return sections;
}

const textOf = (reader: CodeReader): string => Buffer.from(reader.take(reader.u32())).toString("utf8");

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
    const reader = new CodeReader(section.body);
    const kept: Uint8Array[] = [];
    for (let count = reader.u32(); count > 0; count--) {
      const start = reader.at;
      const dropped = drop(textOf(reader));
      reader.byte();
      reader.skipNumber();
      if (!dropped) kept.push(section.body.subarray(start, reader.at));
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
    const reader = new CodeReader(body);
    if (textOf(reader) === name) return body.subarray(reader.at);
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
    if (id === IMPORT) imports = new CodeReader(body).u32();
    if (id === DATA) dataBytes = body.length;
    if (id === MEMORY && body[0]! > 0) {
      const reader = new CodeReader(body, 2);
      memory = { initial: reader.u32(), maximum: body[1]! & 1 ? reader.u32() : null };
    }
  }
  return { imports, dataBytes, memory };
}
