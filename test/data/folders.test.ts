import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { deflateSync, crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { listNestedFiles } from "../../src/data/bytes.js";
import { readImages } from "../../src/data/formats/images.js";
import { imageTools, type ImageTools } from "../../src/data/image-tools.js";
import { loadData, type LoadOptions } from "../../src/data/index.js";
import { labelledFiles } from "../../src/data/labelled-files.js";
import type { NestedFile } from "../../src/data/types.js";
import { requireAll } from "../support/shared-data.js";
import { folderWith, wavFile } from "./files.js";

/** A folder tree with these files. */
function tree(files: Readonly<Record<string, Uint8Array | string>>): string {
  const root = folderWith({});
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

const at = (file: string): NestedFile => {
  const folders = file.split("/");
  return { path: file, name: folders.pop()!, folders };
};
const sorted = (files: string[], options: Partial<LoadOptions> = {}) => labelledFiles(files.map(at), options);

describe("parts and classes of files", () => {
  test("a folder for each class; classes in the order of their names", () => {
    const files = ["dog/2.png", "cat/1.png", "10/x.png", "9/x.png"];
    const s = sorted(files);
    expect(s.classNames).toEqual(["10", "9", "cat", "dog"]);
    expect(files.map((f) => s.labelOf(at(f)))).toEqual([3, 2, 0, 1]);
    expect([s.train.length, s.test.length]).toEqual([4, 0]);
    // A name of an object's own is a name like others.
    expect(sorted(["constructor/1.png", "toString/2.png"]).classNames).toEqual(["constructor", "toString"]);
  });

  test("train and test folders; val is the test where there is none", () => {
    const files = ["train/a/1.png", "train/b/2.png", "test/b/3.png"];
    expect(sorted(files).test.map((f) => f.path)).toEqual(["test/b/3.png"]);
    expect(sorted([...files, "val/a/4.png"]).train.map((f) => f.path)).toContain("val/a/4.png");
    expect(sorted(["Train/a/1.png", "val/a/4.png"]).test.map((f) => f.path)).toEqual(["val/a/4.png"]);
    // Classes that happen to be called so are classes.
    expect(sorted(["test/1.png", "other/2.png"]).classNames).toEqual(["other", "test"]);
    expect(() => sorted([...files, "a/5.png"])).toThrow(/a\/5\.png is in none of them/);
  });

  test("labels and parts from names", () => {
    const files = ["7_jackson_0.wav", "3_theo_12.wav", "7_theo_4.wav"];
    expect(sorted(files).classNames).toEqual(["3", "7"]);
    const s = sorted(files, { testFiles: /_[0-4]\.wav$/, labelFrom: /_([a-z]+)_/g });
    expect(s.classNames).toEqual(["jackson", "theo"]);
    expect(s.test.map((f) => f.path)).toEqual(["7_jackson_0.wav", "7_theo_4.wav"]);
    expect(() => sorted(files, { labelFrom: /(\d\d)_/ })).toThrow(/7_jackson_0\.wav: the pattern.*finds no label/);
    expect(() => sorted([...files, "a/1.wav"])).toThrow(/a\/1\.wav lies in a folder.*7_jackson_0\.wav does not/);
    expect(() => sorted(files, { classes: 1 })).toThrow(/there are 2 classes \(3, 7\), not 1/);
    expect(() => sorted(files, { classNames: ["7"] }).labelOf(at(files[1]!))).toThrow(/its class is "3"/);
  });
});

describe("folders of sounds", () => {
  test("each becomes features, resampled; labels, parts and hash", async () => {
    const tone = (rate: number, hz: number): Float64Array =>
      Float64Array.from({ length: rate / 4 }, (_, n) => 0.5 * Math.sin((2 * Math.PI * hz * n) / rate));
    const files = {
      "high/a.wav": wavFile(tone(8000, 1000), { bits: 16 }),
      "high/b.WAV": wavFile(tone(16000, 1000), { bits: 24, rate: 16000 }),
      "low/c.wav": wavFile(tone(8000, 300), { bits: 32, tag: 3 }),
      "low/notes.txt": "no sound",
    };
    const options: LoadOptions = { seed: 1, testFiles: /./, features: { kind: "log-mel", rate: 8000, seconds: 0.25 } };
    const data = await loadData(tree(files), options);
    expect(data.test!.labels).toEqual(Int32Array.of(0, 0, 1));
    expect(data.classNames).toEqual(["high", "low"]);
    expect(data.test!.shape).toEqual([12, 40, 1]);
    const out = new Float32Array(3 * 480);
    data.test!.read([0, 1, 2], out);
    const loudest = (k: number): number => {
      const frame = [...out.subarray(k * 480 + 6 * 40, k * 480 + 7 * 40)];
      return frame.indexOf(Math.max(...frame));
    };
    expect(loudest(1)).toBe(loudest(0));
    expect(loudest(2)).toBeLessThan(loudest(0));
    await expect(loadData(tree({ "a/1.wav": "RIFF" }), options)).rejects.toThrow(/1\.wav is no WAV file/);
    await expect(loadData(tree(files), { ...options, features: { bands: 0 } })).rejects.toThrow(/bands/);
  });
});

/** A PNG of 8-bit samples, by the specification: signature, header, one block of unfiltered rows, end. */
function png(
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  pixel: (x: number, y: number) => number[],
): Uint8Array {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const bytes = Buffer.alloc(12 + data.length);
    bytes.writeUInt32BE(data.length, 0);
    bytes.write(type, 4);
    bytes.set(data, 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
    return bytes;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, { 1: 0, 3: 2, 4: 6 }[channels], 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + width * channels));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) rows.set(pixel(x, y), y * (1 + width * channels) + 1 + x * channels);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

describe("folders of pictures", () => {
  const asked: string[] = [];
  const fake: ImageTools = {
    sizeOf: () => Promise.resolve({ height: 4, width: 6 }),
    decode: (file, shape) => {
      asked.push(`${file} ${shape.join("x")}`);
      return Promise.resolve(new Uint8Array(shape[0] * shape[1] * shape[2]).fill(file.length));
    },
  };

  test("take the wanted shape in either order of axes, else that of the first picture in colour", async () => {
    const files = ["a/1.png", "bb/2.png", "bb/3.png"].map(at);
    const shapeOf = async (sampleShape?: number[]): Promise<readonly number[]> =>
      (await readImages(files, { ...(sampleShape && { sampleShape }) }, fake)).train!.shape;
    expect(await shapeOf()).toEqual([4, 6, 3]);
    expect(await shapeOf([8, 9])).toEqual([8, 9, 1]);
    expect(await shapeOf([8, 9, 1])).toEqual([8, 9, 1]);
    expect(await shapeOf([3, 8, 9])).toEqual([8, 9, 3]);
    await expect(shapeOf([8, 9, 4])).rejects.toMatchObject({ code: "E_DATA_SHAPE" });
    await expect(shapeOf([49])).rejects.toMatchObject({ code: "E_DATA_SHAPE" });
    const raw = await readImages(files, { sampleShape: [2, 2, 1] }, fake);
    expect([...raw.train!.values]).toEqual([7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8]);
    expect(raw.train!.labels).toEqual(Int32Array.of(0, 1, 1));
    await expect(readImages(files, { sampleShape: [40000, 40000, 1] }, fake)).rejects.toMatchObject({
      code: "E_DATA_SIZE",
    });
  });

  const sharp = ((): boolean => {
    try {
      createRequire(import.meta.url).resolve("sharp");
      return true;
    } catch {
      return false;
    }
  })();

  test("without sharp, or with one that does not load, the message says how to install it", async () => {
    const wanted = { code: "E_DATA_PEER", hint: expect.stringContaining("npm install sharp") };
    await expect(imageTools(() => null)).rejects.toMatchObject(wanted);
    const broken = path.join(tree({ "sharp.mjs": "throw new Error('made for another machine')" }), "sharp.mjs");
    await expect(imageTools(() => broken)).rejects.toMatchObject(wanted);
  });

  if (!sharp && !requireAll) console.warn('skipped "pictures through sharp": the package sharp is not installed');
  describe.skipIf(!sharp && !requireAll)("pictures through sharp", () => {
    const load = (files: Record<string, Uint8Array>, sampleShape?: number[]) =>
      loadData(tree(files), { seed: 1, testFiles: /./, ...(sampleShape && { sampleShape }) });
    const pixels = async (file: Uint8Array, sampleShape?: number[]): Promise<number[]> => {
      const { test } = await load({ "a/1.png": file }, sampleShape);
      const out = new Float32Array(test!.shape.reduce((a, b) => a * b, 1));
      test!.read([0], out);
      return [...out];
    };

    test("pixels of the wanted size come as they are, transparency and colour aside", async () => {
      const colours = (x: number, y: number): number[] => [10 * x, 100 + y, 200 + x];
      const want = [0, 1].flatMap((y) => [0, 1, 2].flatMap((x) => colours(x, y)));
      expect(await pixels(png(3, 2, 3, colours))).toEqual(want);
      expect(await pixels(png(3, 2, 4, (x, y) => [...colours(x, y), 7]))).toEqual(want);
      expect(
        await pixels(
          png(3, 2, 1, (x) => [50 * x]),
          [2, 3, 3],
        ),
      ).toEqual([0, 1].flatMap(() => [0, 0, 0, 50, 50, 50, 100, 100, 100]));
      expect(
        await pixels(
          png(3, 2, 1, (x, y) => [50 * x + y]),
          [2, 3, 1],
        ),
      ).toEqual([0, 50, 100, 1, 51, 101]);
    });

    test("others are scaled to cover the size and cut around the centre", async () => {
      // Left third dark, the middle grey, right third bright: the square in the middle sees grey alone.
      const wide = png(96, 32, 1, (x) => [x < 32 ? 0 : x < 64 ? 128 : 255]);
      const middle = await pixels(wide, [16, 16, 1]);
      const inner = middle.filter((_, i) => i % 16 >= 3 && i % 16 < 13);
      expect(inner.every((v) => v === 128)).toBe(true);
    });

    test("what cannot be decoded is told by its name", async () => {
      const broken = Buffer.from(png(64, 64, 3, (x, y) => [x, y, 0]));
      for (const bytes of [Buffer.from("no picture"), broken.subarray(0, 60), broken.subarray(0, 8)]) {
        await expect(load({ "a/broken.png": bytes })).rejects.toMatchObject({
          code: "E_DATA_FORMAT",
          message: expect.stringContaining("broken.png cannot be decoded"),
        });
      }
      // A header that promises 4 gigapixels.
      const vast = Buffer.from(broken);
      vast.writeUInt32BE(65535, 16);
      vast.writeUInt32BE(65535, 20);
      vast.writeUInt32BE(crc32(vast.subarray(12, 29)), 29);
      await expect(load({ "a/vast.png": vast }, [32, 32, 3])).rejects.toThrow(/vast\.png cannot be decoded/);
    });
  });
});

describe("walking through folders", () => {
  test("links to folders are not followed, names with a dot are skipped, depth is limited", async () => {
    const root = tree({ "a/b/c/d/e/deep.wav": "x", "a/b/c/d/near.wav": "x", ".hidden/1.wav": "x" });
    symlinkSync(root, path.join(root, "a", "loop"));
    const files = await listNestedFiles(root);
    expect(files.map((f) => [...f.folders, f.name].join("/"))).toEqual(["a/b/c/d/near.wav"]);
  });

  test.skipIf(process.platform === "win32")("a pipe, which would never end, is no data", async () => {
    const root = tree({ "test_batch.bin": new Uint8Array(3073) });
    execFileSync("mkfifo", [path.join(root, "data_batch_1.bin")]);
    expect((await loadData(root, { seed: 1 })).train.count).toBe(0);
    await expect(loadData(path.join(root, "data_batch_1.bin"), { seed: 1 })).rejects.toThrow(/neither a folder nor/);
  });
});
