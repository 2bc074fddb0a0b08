import { IdapError } from "../model/errors.js";

/** What a package's module is checked for without running it. */
export interface WasmFacts {
  /** Memory limits in pages of 64 KiB; `maximum` null when it may grow without limit. */
  readonly memory: { readonly initial: number; readonly maximum: number | null } | null;
  /** Number of imports. */
  readonly imports: number;
  /** Contents of custom sections by name, in file order. */
  readonly custom: ReadonlyMap<string, Uint8Array>;
}

/** Reads the section headers of a WebAssembly binary (core specification, 5.5); `file` names it in messages. */
export function readWasmFacts(bytes: Uint8Array, file: string): WasmFacts {
  const broken = (what: string): IdapError =>
    new IdapError(
      "E_PACKAGE_WASM",
      `${file}: not a WebAssembly module that we can read: ${what}`,
      "Build the package again.",
    );
  if (bytes.length < 8 || [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].some((b, i) => bytes[i] !== b)) {
    throw broken("it does not begin with the header of version 1");
  }
  let at = 8;
  const u32 = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const b = bytes[at++];
      if (b === undefined) throw broken("it ends inside a number");
      value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    throw broken("a number has more than 32 bits");
  };
  let memory: WasmFacts["memory"] = null;
  let imports = 0;
  const custom = new Map<string, Uint8Array>();
  while (at < bytes.length) {
    const id = bytes[at++]!;
    const size = u32();
    const end = at + size;
    if (end > bytes.length) throw broken(`section ${id} claims ${size} bytes, ${bytes.length - at} are there`);
    if (id === 0) {
      const length = u32();
      if (at + length > end) throw broken("a section's name is longer than the section");
      const name = new TextDecoder().decode(bytes.subarray(at, at + length));
      custom.set(name, bytes.subarray(at + length, end));
    } else if (id === 2) {
      imports = u32();
    } else if (id === 5 && u32() > 0) {
      const flags = bytes[at++]!;
      const initial = u32();
      memory = { initial, maximum: flags & 1 ? u32() : null };
    }
    at = end;
  }
  return { memory, imports, custom };
}
