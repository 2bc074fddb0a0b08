import { describe, expect, test } from "vitest";
import { readWasmFacts } from "../../src/measure/wasm-file.js";

const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const memory = (...limits: number[]): number[] => [5, limits.length + 1, 1, ...limits];
const custom = (name: string, ...content: number[]): number[] => {
  const text = [...new TextEncoder().encode(name)];
  return [0, text.length + 1 + content.length, text.length, ...text, ...content];
};
// (import "m" "f" (func (type 0))) with its type section.
const oneImport = [1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 0x6d, 1, 0x66, 0, 0];

describe("facts of a WebAssembly file", () => {
  test("memory limits, imports and custom sections, as the engine sees them", () => {
    const bytes = Uint8Array.from([...header, ...oneImport, ...memory(1, 2, 3), ...custom("idap", 7, 8)]);
    const module = new WebAssembly.Module(bytes);
    const facts = readWasmFacts(bytes, "a.wasm");
    expect(facts.imports).toBe(WebAssembly.Module.imports(module).length);
    expect(facts.memory).toEqual({ initial: 2, maximum: 3 });
    expect([...facts.custom.get("idap")!]).toEqual([
      ...new Uint8Array(WebAssembly.Module.customSections(module, "idap")[0]!),
    ]);
  });

  test("a memory that may grow has no maximum; numbers of several bytes are read", () => {
    expect(readWasmFacts(Uint8Array.from([...header, ...memory(0, 0x80, 0x01)]), "a").memory).toEqual({
      initial: 128,
      maximum: null,
    });
    expect(readWasmFacts(Uint8Array.from(header), "a")).toEqual({ memory: null, imports: 0, custom: new Map() });
  });

  test.each([
    ["empty", []],
    ["text", [...new TextEncoder().encode("hello world")]],
    ["another version", [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]],
    ["a section that is cut off", [...header, 5, 9, 1]],
    ["a number without end", [...header, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a name longer than its section", [...header, 0, 2, 40, 65]],
  ])("%s is refused with the file's name", (_name, bytes) => {
    expect(() => readWasmFacts(Uint8Array.from(bytes), "model.simd.wasm")).toThrowError(
      expect.objectContaining({ code: "E_PACKAGE_WASM", message: expect.stringContaining("model.simd.wasm") }),
    );
  });
});
