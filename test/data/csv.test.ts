import path from "node:path";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csvRecords } from "../../src/data/csv-records.js";
import { loadData, type LoadOptions } from "../../src/data/index.js";
import { folderWith } from "./files.js";

const read = (files: Record<string, string | Uint8Array>, options: Partial<LoadOptions> = {}) =>
  loadData(folderWith(files), { seed: 1, ...options });

/** Values and labels of all samples, in the order of the file. */
async function testPart(files: Record<string, string | Uint8Array>, options: Partial<LoadOptions> = {}) {
  const { test } = await read(files, options);
  const size = test!.shape.reduce((a, b) => a * b, 1);
  const out = new Float32Array(test!.count * size);
  test!.read([...Array(test!.count).keys()], out);
  return { values: [...out], labels: test!.labels && [...test!.labels], shape: test!.shape, classes: test!.classes };
}

describe("CSV data", () => {
  test("no header, the label last; whole numbers up to 255 stay bytes", async () => {
    const part = await testPart({ "test.csv": "1,2,0\n3,255,1\n" });
    expect(part).toEqual({ values: [1, 2, 3, 255], labels: [0, 1], shape: [2], classes: 2 });
    // Bytes may be normalised by 255, other numbers may not.
    expect((await testPart({ "test.csv": "51,255,0\n" }, { normalize: { kind: "unit" } })).values).toEqual([
      Math.fround(0.2),
      1,
    ]);
    await expect(read({ "test.csv": "51.5,255,0\n" }, { normalize: { kind: "unit" } })).rejects.toThrow(/bytes/);
  });

  test.each([
    ["by name", "label", "label,a,b\n2,1.5,-1e-3\n0,4,5\n"],
    ["first of a header", "first", "label,a,b\n2,1.5,-1e-3\n0,4,5\n"],
    ["by number", "1", "1.5,2,-1e-3\n4,0,5\n"],
    ["a name in quotes", "the label", '"the label","a","b"\n2,"1.5",-1e-3\n0,4,5\n'],
  ])("the label's column: %s", async (_name, label, text) => {
    const part = await testPart({ "test.csv": text }, { label });
    expect(part.values).toEqual([1.5, Math.fround(-1e-3), 4, 5]);
    expect(part.labels).toEqual([2, 0]);
  });

  test("no labels at all", async () => {
    const part = await testPart({ "test.csv": "a;b\n1;2\n3;4\n" }, { label: "none" });
    expect(part).toEqual({ values: [1, 2, 3, 4], labels: null, shape: [2], classes: 0 });
  });

  test("labels that are names are numbered in their sorted order over both parts, or as the user says", async () => {
    const files = { "train.csv": "x,kind\n1,owl\n2,cat\n", "test.csv": "x,kind\n3,cat\n4,ant\n" };
    const data = await read(files);
    expect(data.classNames).toEqual(["ant", "cat", "owl"]);
    expect(data.test!.labels).toEqual(Int32Array.of(1, 0));
    expect((await read(files, { classNames: ["owl", "cat", "ant"] })).test!.labels).toEqual(Int32Array.of(1, 2));
    await expect(read(files, { classNames: ["owl", "cat"] })).rejects.toMatchObject({
      code: "E_DATA_LABEL",
      message: expect.stringMatching(/test\.csv line 3.*"ant".*owl, cat/),
    });
  });

  test("separators, line ends, byte-order mark, empty lines, quotes, gzip: the same samples", async () => {
    const plain = await read({ "train.csv": "a,b,y\n1,2,0\n3,4,1\n" });
    const same: Record<string, string | Uint8Array>[] = [
      { "train.csv": "\ufeffa;b;y\r\n1;2;0\r\n\r\n3;4;1" },
      { "train.tsv": "a\tb\ty\r1\t2\t0\r3\t4\t1\r" },
      { "train.csv.gz": gzipSync('"a","b ""x"", more","y"\n"1",2,"0"\n3,"4" ,1.0\n') },
    ];
    for (const file of same) expect((await read(file)).hash).toBe(plain.hash);
  });

  test("rows become samples of a wanted shape when they have as many values", async () => {
    expect((await testPart({ "test.csv": "1,2,3,4,0\n" }, { sampleShape: [2, 2, 1] })).shape).toEqual([2, 2, 1]);
    expect((await testPart({ "test.csv": "1,2,3,0\n" }, { sampleShape: [2, 2, 1] })).shape).toEqual([3]);
  });

  test.each([
    ["another number of fields", "1,2,0\n1,2\n", "E_DATA_FORMAT", /line 2: has 2 fields where the first line has 3/],
    ["a word among numbers", "1,2,0\n1,two,0\n", "E_DATA_FORMAT", /line 2, column 2: "two"/],
    ["a missing value", "1,2,0\n\n1,,0\n", "E_DATA_FORMAT", /line 3, column 2: the value is missing/],
    ["a number beyond f32", "1,2,0\n1,1e39,0\n", "E_DATA_FORMAT", /1e39/],
    ["words that JavaScript takes for numbers", "1,2,0\n0x10,Infinity,0\n", "E_DATA_FORMAT", /line 2, column 1/],
    ["a missing label", "1,2,0\n1,2,\n", "E_DATA_LABEL", /line 2: the label is missing/],
    ["a quote that is not closed", '1,2,0\n"1,2,0\n3,4,0\n', "E_DATA_FORMAT", /line 2: the quote of field 1/],
    ["text behind a quote", '1,2,0\n"1"2,2,0\n', "E_DATA_FORMAT", /line 2: field 1 goes on behind/],
    ["labels only", "0\n1\n", "E_DATA_FORMAT", /no values/],
    ["nothing", "\n\n", "E_DATA_EMPTY", /no samples/],
  ])("%s is told with its line", async (_name, text, code, message) => {
    await expect(read({ "train.csv": text })).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("a column that does not exist, a line in quotes that spans lines, two training files", async () => {
    await expect(read({ "a.csv": "x,y\n1,2\n" }, { label: "class" })).rejects.toMatchObject({
      code: "E_OPTION",
      message: expect.stringContaining("it has x, y"),
    });
    await expect(read({ "a.csv": "1,2\n3,4\n" }, { label: "7" })).rejects.toThrow(/2 columns/);
    await expect(read({ "a.csv": 'x,y\n"1\n\n",2\nz,1\n' })).rejects.toThrow(/line 5, column 1: "z"/);
    await expect(read({ "a.csv": "1,2\n", "b.csv": "1,2\n" })).rejects.toThrow(/a\.csv and b\.csv/);
    await expect(read({ "train.csv": "1,2,0\n", "test.csv": "1,0\n" })).rejects.toThrow(/2 values.*test\.csv has 1/);
  });

  test("a CSV file beside data of another format is not taken for data", async () => {
    const folder = folderWith({ "names.csv": "a,b\n", "test_batch.bin": new Uint8Array(3073) });
    expect((await loadData(folder, { seed: 1 })).description).toContain("cifar10");
  });
});

describe("records", () => {
  const parse = async (text: string): Promise<string[][]> => {
    const file = path.join(folderWith({}), "x.csv");
    writeFileSync(file, text);
    const records: string[][] = [];
    for await (const { fields } of csvRecords(file, false, ",")) records.push([...fields]);
    return records;
  };

  test("what is written by the rules is read back, whatever the fields hold", async () => {
    const field = fc.string({ unit: fc.constantFrom("a", "1", '"', ",", "\n", "\r", " ", "é", "\u{1F600}") });
    const record = fc.array(field, { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 5 }), fc.constantFrom("\n", "\r\n"), async (records, end) => {
        const quoted = (f: string): string => `"${f.replaceAll('"', '""')}"`;
        const text = records.map((r) => r.map(quoted).join(",") + end).join("");
        expect(await parse(text)).toEqual(records);
      }),
      { numRuns: 60 },
    );
  });

  test("a file that is cut, and one that unpacks to one endless field, are told", async () => {
    const cut = folderWith({ "a.csv.gz": gzipSync("1,2,0\n".repeat(1000)).subarray(0, 40) });
    await expect(loadData(cut, { seed: 1 })).rejects.toMatchObject({ code: "E_DATA_TRUNCATED" });
    const bomb = folderWith({ "a.csv.gz": gzipSync(new Uint8Array(2 ** 27).fill(49)) });
    await expect(loadData(bomb, { seed: 1 })).rejects.toThrow(/longer than 65536 characters/);
  });
});
