import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { readKeras } from "../../../src/formats/keras/read.js";
import { IdapError } from "../../../src/model/errors.js";
import { Random } from "../../../src/model/random.js";
import { recorded } from "./recorded.js";

const fileOf = (name: string, kind: string): Uint8Array =>
  recorded.find((r) => r.name === name && r.kind === kind)!.file;

/** A copy with a few bytes changed, moved or cut off. */
function mutate(source: Uint8Array, random: Random): Uint8Array {
  const bytes = new Uint8Array(source);
  const view = new DataView(bytes.buffer);
  for (let n = 1 + random.int(4); n > 0; n--) {
    const at = random.int(bytes.length - 8);
    const kind = random.int(5);
    if (kind === 0) bytes[at]! ^= 1 << random.int(8);
    else if (kind === 1) view.setUint32(at, [0, 1, 0x7fffffff, 0xffffffff, 0x80000000, 1 << 20][random.int(6)]!, true);
    else if (kind === 2) bytes.copyWithin(at, random.int(bytes.length - 8), random.int(bytes.length));
    else if (kind === 3) bytes.fill(0, at, at + random.int(16));
    else return bytes.slice(0, at);
  }
  return bytes;
}

describe("damaged files end in a graph or in one clear error", () => {
  test.each([
    ["bn", "h5"],
    ["bi_concat", "h5"],
    ["bn", "keras"],
    ["nested", "keras"],
  ])("%s.%s", (name, kind) => {
    const random = new Random(11);
    const source = fileOf(name, kind);
    const outcomes = new Set<string>();
    for (let i = 0; i < 150; i++) {
      const start = performance.now();
      try {
        readKeras(mutate(source, random), "m", "m.keras");
        outcomes.add("graph");
      } catch (error) {
        // Allocations that the engine refuses are turned into E_FORMAT by readModel.
        if (!(error instanceof IdapError) && !(error instanceof RangeError)) throw error;
        outcomes.add(error instanceof IdapError ? error.code : "E_FORMAT");
      }
      expect(performance.now() - start, `mutant ${i}`).toBeLessThan(3000);
    }
    expect(outcomes).toContain("E_FORMAT");
    expect(outcomes).toContain("graph");
  });
});

test("a file that holds weights only says so", () => {
  const weights = unzippedWeights();
  expect(() => readKeras(weights, "m", "m.weights.h5")).toThrowError(
    expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("holds weights only") }),
  );
});

/** Members of a stored (not deflated) archive lie in it as they are. */
function unzippedWeights(): Uint8Array {
  const archive = fileOf("bn", "keras");
  const at = Buffer.from(archive).indexOf(Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]));
  return archive.slice(at);
}

test("an archive without a model says what it lacks, a bomb what it claims", () => {
  const text = new TextEncoder();
  expect(() => readKeras(zipSync({ "readme.txt": text.encode("hello") }), "m", "m.keras")).toThrowError(
    expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("config.json") }),
  );
  const bomb = zipSync({ "config.json": new Uint8Array(1000), "model.weights.h5": new Uint8Array(1000) });
  // The sizes that the central directory claims, of the last member.
  const view = new DataView(bomb.buffer, bomb.byteOffset, bomb.byteLength);
  for (let i = 0; i + 46 < bomb.length; i++)
    if (view.getUint32(i, true) === 0x02014b50) view.setUint32(i + 24, 0xf0000000, true);
  expect(() => readKeras(bomb, "m", "m.keras")).toThrowError(
    expect.objectContaining({ code: "E_FORMAT", message: expect.stringContaining("claims 4026531840 bytes") }),
  );
});
