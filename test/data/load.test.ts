import path from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { loadData, parseNormalisation } from "../../src/data/index.js";
import type { Split } from "../../src/model/dataset.js";
import { sizeOf } from "../../src/model/types.js";
import { cifarFile, folderWith, idxFile, npyFile, zipFile } from "./files.js";

const seed = 1;

function sample(split: Split, i: number): Float32Array {
  const out = new Float32Array(sizeOf(split.shape));
  split.read([i], out);
  return out;
}

const bytesOf = (a: Int32Array | Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

describe("CIFAR-10", () => {
  test("planes become pixels, test files stay apart, all bytes as they are", async () => {
    const folder = folderWith({
      "data_batch_1.bin": cifarFile([3, 1, 4, 1, 5]),
      "data_batch_2.bin.gz": gzipSync(cifarFile([9, 2, 6, 5, 3])),
      "test_batch.bin": cifarFile([7, 8]),
    });
    const data = await loadData(folder, { seed });
    expect(data.train.count + data.validation.count).toBe(10);
    expect(data.test!.labels).toEqual(Int32Array.of(7, 8));
    expect(data.test!.shape).toEqual([32, 32, 3]);
    const second = sample(data.test!, 1);
    expect([...second.slice(0, 6)]).toEqual([1, 101, 200, 1, 101, 201]);
    expect([...second.slice(-3)]).toEqual([1, 101, 200 + (1023 % 50)]);
  });

  test("the same data compressed has the same hash, other data another", async () => {
    const plain = await loadData(folderWith({ "data_batch_1.bin": cifarFile([0, 1]) }), { seed });
    const packed = await loadData(folderWith({ "data_batch_1.bin.gz": gzipSync(cifarFile([0, 1])) }), { seed: 2 });
    const other = await loadData(folderWith({ "data_batch_1.bin": cifarFile([0, 2]) }), { seed });
    expect(packed.hash).toBe(plain.hash);
    expect(other.hash).not.toBe(plain.hash);
    const pixel = cifarFile([0, 1]);
    pixel[4000]! ^= 1;
    expect((await loadData(folderWith({ "data_batch_1.bin": pixel }), { seed })).hash).not.toBe(plain.hash);
  });

  test("a cut file and a label outside the classes are told with their numbers", async () => {
    const cut = folderWith({ "data_batch_1.bin": cifarFile([0, 1]).subarray(0, 5000) });
    await expect(loadData(cut, { seed })).rejects.toMatchObject({
      code: "E_DATA_TRUNCATED",
      message: expect.stringMatching(/data_batch_1\.bin has 5000 bytes.*3073/),
    });
    const label = folderWith({ "data_batch_1.bin": cifarFile([0, 11]) });
    await expect(loadData(label, { seed })).rejects.toMatchObject({
      code: "E_DATA_LABEL",
      message: expect.stringMatching(/sample 1 has label 11.*0 to 9/),
    });
    const gz = folderWith({ "data_batch_1.bin.gz": gzipSync(cifarFile([0, 1])).subarray(0, 60) });
    await expect(loadData(gz, { seed })).rejects.toMatchObject({ code: "E_DATA_TRUNCATED" });
  });
});

describe("CIFAR-100", () => {
  test("the fine label is the class", async () => {
    const record = Uint8Array.of(7, 99, ...cifarFile([0]).subarray(1));
    const data = await loadData(folderWith({ "test.bin": record }), { seed });
    expect(data.test!.labels).toEqual(Int32Array.of(99));
    expect(data.test!.classes).toBe(100);
    expect([...sample(data.test!, 0).slice(0, 3)]).toEqual([0, 100, 200]);
  });
});

describe("IDX", () => {
  const images = idxFile(
    [4, 2, 3],
    Array.from({ length: 24 }, (_, i) => i),
  );
  test("images get a channel axis, labels decide the classes", async () => {
    const folder = folderWith({
      "train-images-idx3-ubyte.gz": gzipSync(images),
      "train-labels-idx1-ubyte": idxFile([4], [0, 1, 2, 1]),
      "t10k-images-idx3-ubyte": idxFile([1, 2, 3], [9, 8, 7, 6, 5, 4]),
      "t10k-labels-idx1-ubyte": idxFile([1], [2]),
      LICENSE: "text",
    });
    const data = await loadData(folder, { seed });
    expect(data.train.shape).toEqual([2, 3, 1]);
    expect(data.train.classes).toBe(3);
    expect([...sample(data.test!, 0)]).toEqual([9, 8, 7, 6, 5, 4]);
    expect(data.test!.labels).toEqual(Int32Array.of(2));
  });

  test.each([
    ["cut image file", { "train-images": images.subarray(0, 20) }, "E_DATA_TRUNCATED"],
    ["cut header", { "train-images": images.subarray(0, 9) }, "E_DATA_TRUNCATED"],
    ["fewer labels than images", { "train-images": images, "train-labels": idxFile([3], [0, 1, 0]) }, "E_DATA_FORMAT"],
    ["labels alone", { "train-labels": idxFile([3], [0, 1, 0]) }, "E_DATA_FORMAT"],
  ])("%s", async (_name, files, code) => {
    await expect(loadData(folderWith(files as Record<string, Uint8Array>), { seed })).rejects.toMatchObject({ code });
  });

  test("other element types become floats", async () => {
    const file = Uint8Array.of(0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0);
    const data = await loadData(folderWith({ "test-values": file, "test-labels": idxFile([1], [3]) }), { seed });
    expect([...sample(data.test!, 0)]).toEqual([1, -2.5]);
    const shorts = Uint8Array.of(0, 0, 0x0b, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0);
    expect([...sample((await loadData(folderWith({ "test-values": shorts }), { seed })).test!, 0)]).toEqual([-2, 256]);
    await expect(loadData(folderWith({ "test-values": file.subarray(0, 18) }), { seed })).rejects.toThrow(
      /2 values of 4/,
    );
  });

  test("a label outside the classes that the user names", async () => {
    const folder = folderWith({ "train-images": images, "train-labels": idxFile([4], [0, 1, 2, 9]) });
    await expect(loadData(folder, { seed, classes: 3 })).rejects.toMatchObject({
      code: "E_DATA_LABEL",
      message: expect.stringContaining("label 9"),
    });
  });
});

describe("numpy", () => {
  const x = npyFile("<f4", [2, 1, 2], bytesOf(Float32Array.of(0.5, -1, 2, 3)));
  const y = npyFile("<i8", [2], bytesOf(BigInt64Array.of(1n, 0n)));

  /** A megabyte of zeros that its directory calls 100 bytes. */
  const bomb = (): Uint8Array => {
    const bytes = Buffer.from(zipFile({ "x.npy": new Uint8Array(2 ** 20) }));
    bytes.writeUInt32LE(100, bytes.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
    return bytes;
  };

  test("halves, unsigned and wide integers", async () => {
    // 1, the smallest subnormal, -65504 (the largest), 0.333251953125 as IEEE 754 tables give them.
    const halves = Uint8Array.of(0x00, 0x3c, 0x01, 0x00, 0xff, 0xfb, 0x55, 0x35);
    const read = async (x_test: Uint8Array): Promise<number[]> => {
      const { test } = await loadData(folderWith({ "x_test.npy": x_test }), { seed });
      return [...sample(test!, 0)];
    };
    expect(await read(npyFile("<f2", [1, 4], halves))).toEqual([1, 2 ** -24, -65504, 0.333251953125]);
    expect(await read(npyFile("<u2", [1, 2], Uint8Array.of(255, 255, 1, 0)))).toEqual([65535, 1]);
    expect(await read(npyFile("<i8", [1, 2], bytesOf(BigInt64Array.of(-3n, 2n ** 40n))))).toEqual([-3, 2 ** 40]);
  });

  test("arrays in a folder", async () => {
    const data = await loadData(folderWith({ "x_test.npy": x, "y_test.npy": y }), { seed });
    expect(data.train.count).toBe(0);
    expect(data.test!.shape).toEqual([1, 2, 1]);
    expect(data.test!.labels).toEqual(Int32Array.of(1, 0));
    expect([...sample(data.test!, 1)]).toEqual([2, 3]);
  });

  test("one .npz, by its path or its folder", async () => {
    const folder = folderWith({ "set.npz": zipFile({ "x_test.npy": x, "y_test.npy": y }) });
    const byFolder = await loadData(folder, { seed });
    const byFile = await loadData(path.join(folder, "set.npz"), { seed });
    expect([...sample(byFolder.test!, 0)]).toEqual([0.5, -1]);
    expect(byFile.hash).toBe(byFolder.hash);
  });

  test.each([
    ["Fortran order", { "x.npy": npyFile("<f4", [1, 1], new Uint8Array(4), true) }, /Fortran/],
    ["big-endian values", { "x.npy": npyFile(">f4", [1, 1], new Uint8Array(4)) }, />f4/],
    ["cut values", { "x.npy": npyFile("<f4", [4, 1], new Uint8Array(12)) }, /4 values.*12 bytes/],
    ["unknown names", { "images.npy": x }, /x_train.*images/],
    ["a shape that is none", { "x.npy": npyFile("<f4", [-1, 4], new Uint8Array(16)) }, /\(-1, 4\) is no list/],
    ["an endless shape", { "x.npy": npyFile("|u1", [999999999, 999999999], new Uint8Array(16)) }, /should hold/],
    ["no samples", { "x.npy": npyFile("|u1", [0, 4], new Uint8Array(0)) }, /samples run along the first/],
    ["a type named like a method", { "x.npy": npyFile("constructor", [1, 1], new Uint8Array(8)) }, /dtype constructor/],
    ["a NaN", { "x.npy": npyFile("<f4", [2, 1], bytesOf(Float32Array.of(0, NaN))) }, /x: sample 1 holds NaN/],
    [
      "labels beyond 32 bits",
      { "x.npy": x, "y.npy": npyFile("<i8", [2], bytesOf(BigInt64Array.of(1n, 2n ** 40n))) },
      /y needs one whole number/,
    ],
    ["an archive that promises less than it holds", { "set.npz": bomb() }, /not a whole zip archive: x\.npy/],
    ["cut archive", { "set.npz": zipFile({ "x_test.npy": x }).subarray(0, 80) }, /not a whole zip/],
  ])("%s is told", async (_name, files, message) => {
    await expect(loadData(folderWith(files as Record<string, Uint8Array>), { seed })).rejects.toThrow(message);
  });
});

describe("described tensor files", () => {
  const description = {
    sample: { dtype: "i8", shape: [2], scale: 0.5, zeroPoint: 3 },
    classes: 3,
    train: { values: "v.bin", labels: "l.csv", column: 1 },
  };
  const values = Uint8Array.from(new Int8Array([3, 5, -1, 3]));

  test("real = scale * (stored - zero point), then the normalisation", async () => {
    const folder = folderWith({
      "idap-data.json": JSON.stringify({ ...description, train: undefined, test: description.train }),
      "v.bin": values,
      "l.csv": "a,2,x\nb,0,y\n",
    });
    const plain = await loadData(folder, { seed });
    expect([...sample(plain.test!, 0), ...sample(plain.test!, 1)]).toEqual([0, 1, -2, 0]);
    expect(plain.test!.labels).toEqual(Int32Array.of(2, 0));
    const scaled = await loadData(folder, { seed, normalize: { kind: "affine", mean: [1, 2], std: [2, 4] } });
    expect([...sample(scaled.test!, 0)]).toEqual([-0.5, -0.25]);
  });

  test.each([
    ["a label outside", { "l.csv": "a,3\nb,0\n" }, "E_DATA_LABEL"],
    ["a label that is no number", { "l.csv": "a,cat\nb,0\n" }, "E_DATA_LABEL"],
    ["too few labels", { "l.csv": "a,0\n" }, "E_DATA_FORMAT"],
    ["values cut", { "v.bin": values.subarray(0, 3) }, "E_DATA_TRUNCATED"],
    ["not JSON", { "idap-data.json": "{" }, "E_DATA_FORMAT"],
    ["another shape of description", { "idap-data.json": `{"sample":{"dtype":"f16","shape":[2]}}` }, "E_DATA_FORMAT"],
    ["no part", { "idap-data.json": JSON.stringify({ sample: description.sample }) }, "E_DATA_FORMAT"],
  ])("%s is told", async (_name, files, code) => {
    const folder = folderWith({
      "idap-data.json": JSON.stringify(description),
      "v.bin": values,
      "l.csv": "a,2\nb,0\n",
      ...files,
    });
    await expect(loadData(folder, { seed })).rejects.toMatchObject({ code });
  });

  test("a file that the description names and that is not there", async () => {
    const folder = folderWith({ "idap-data.json": JSON.stringify(description) });
    await expect(loadData(folder, { seed })).rejects.toMatchObject({ code: "E_DATA_MISSING" });
  });
});

describe("what is no data", () => {
  test("no such folder, an empty one, one with other things, and what would be understood", async () => {
    const folder = folderWith({});
    await expect(loadData(path.join(folder, "none"), { seed })).rejects.toMatchObject({ code: "E_DATA_MISSING" });
    await expect(loadData(folder, { seed })).rejects.toMatchObject({ code: "E_DATA_EMPTY" });
    await expect(loadData(folderWith({ "a.txt": "hello", "b.bin": "x" }), { seed })).rejects.toMatchObject({
      code: "E_DATA_EMPTY",
      message: expect.stringContaining("2 files"),
      hint: expect.stringContaining("CIFAR-10"),
    });
  });

  test("two formats in one folder: the user says which", async () => {
    const folder = folderWith({ "test_batch.bin": cifarFile([0]), "train-images": idxFile([1, 2, 2], [1, 2, 3, 4]) });
    await expect(loadData(folder, { seed })).rejects.toMatchObject({
      code: "E_DATA_FORMAT",
      message: expect.stringContaining("cifar10 and idx"),
    });
    expect((await loadData(folder, { seed, format: "idx" })).train.shape).toEqual([2, 2, 1]);
  });

  test("a format that does not exist", async () => {
    const folder = folderWith({});
    await expect(loadData(folder, { seed, format: "mat" })).rejects.toMatchObject({
      code: "E_OPTION",
      hint: expect.stringContaining("idx"),
    });
  });
});

describe("normalisation", () => {
  test("unit, and per channel", async () => {
    const folder = folderWith({ "test_batch.bin": cifarFile([0]) });
    const unit = await loadData(folder, { seed, normalize: { kind: "unit" } });
    expect([...sample(unit.test!, 0).slice(0, 3)]).toEqual([0, Math.fround(100 / 255), Math.fround(200 / 255)]);
    const affine = await loadData(folder, { seed, normalize: parseNormalisation("0,100,150/1,1,50") });
    expect([...sample(affine.test!, 0).slice(0, 3)]).toEqual([0, 0, 1]);
    await expect(loadData(folder, { seed, normalize: parseNormalisation("1,2/1") })).rejects.toMatchObject({
      code: "E_OPTION",
      message: expect.stringContaining("1 or 3 numbers"),
    });
  });

  test.each(["mean", "1", "1/0", "1,a/1", "1/2/3", "/", ""])("%j is refused", (text) => {
    expect(() => parseNormalisation(text)).toThrow(expect.objectContaining({ code: "E_OPTION" }));
  });
});
