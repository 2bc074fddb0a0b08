import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { loadData } from "../../src/data/index.js";
import { describeWithData } from "../support/shared-data.js";
import { softmaxRegression } from "../support/softmax-regression.js";
import { folderWith, wavFile } from "./files.js";

describeWithData("real CIFAR-10", ["cifar10"], ([folder]) => {
  test("15,000 training and 1,000 test images, ten classes, published statistics", async () => {
    const data = await loadData(folder!, { seed: 1 });
    expect([data.train.count, data.validation.count, data.calibration.count, data.test!.count]).toEqual([
      12000, 3000, 1024, 1000,
    ]);
    expect(data.train.shape).toEqual([32, 32, 3]);
    const perClass = new Array<number>(10).fill(0);
    for (const label of data.validation.labels!) perClass[label]!++;
    expect(perClass.every((n) => n > 270 && n < 330)).toBe(true);
    // Channel means of all 50,000 training images are 125.31, 122.95, 113.87 (widely published); a standard error of
    // a mean of 3,000 images is below 0.9 (images differ by about 50 in mean), so 4 is beyond chance.
    const pixels = new Float32Array(3072);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.validation.count; i++) {
      data.validation.read([i], pixels);
      for (let j = 0; j < 3072; j++) sum[j % 3]! += pixels[j]!;
    }
    const means = sum.map((s) => s / (1024 * data.validation.count));
    [125.31, 122.95, 113.87].forEach((m, c) => expect(Math.abs(means[c]! - m), `channel ${c}`).toBeLessThan(4));
  });
});

describeWithData("real Fashion-MNIST", ["fashion-mnist"], ([folder]) => {
  test("60,000 and 10,000 images of 28 x 28, 6,000 of each class", async () => {
    const data = await loadData(folder!, { seed: 1 });
    expect([data.train.count, data.validation.count, data.test!.count]).toEqual([48000, 12000, 10000]);
    expect(data.train.shape).toEqual([28, 28, 1]);
    for (let c = 0; c < 10; c++) expect(data.validation.labels!.filter((l) => l === c).length).toBe(1200);
  });
});

describeWithData("real keyword spectrograms", ["kws01"], ([folder]) => {
  test("1,000 described samples, 12 classes, dequantised", async () => {
    const own = folderWith({});
    const description = path.join(own, "idap-data.json");
    writeFileSync(
      description,
      JSON.stringify({
        sample: { dtype: "i8", shape: [49, 10, 1], scale: 0.5847029, zeroPoint: 83 },
        classes: 12,
        test: {
          values: path.join(folder!, "features-i8-1000x49x10.bin"),
          labels: path.join(folder!, "y_labels.csv"),
          column: 2,
        },
      }),
    );
    const data = await loadData(description, { seed: 1 });
    expect(data.test!.count).toBe(1000);
    expect(data.test!.labels!.slice(0, 5)).toEqual(Int32Array.of(7, 2, 6, 8, 5));
    const one = new Float32Array(490);
    data.test!.read([0], one);
    for (const v of one) expect(Math.abs(v / 0.5847029 - Math.round(v / 0.5847029))).toBeLessThan(1e-4);
  });
});

describeWithData("real spoken digits", ["fsdd"], ([folder]) => {
  /** Recordings of two digits as WAV files, named as the data set names them. */
  function recordings(): string {
    const samples = gunzipSync(readFileSync(path.join(folder!, "pcm16le-8khz-mono.bin.gz")));
    const rows = readFileSync(path.join(folder!, "index.csv"), "utf8").trim().split("\n").slice(1);
    const files: Record<string, Uint8Array> = {};
    for (const row of rows) {
      const [file, digit, , , , offset, count] = row.split(",") as [
        string,
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      if (digit !== "3" && digit !== "8") continue;
      const start = 2 * Number(offset);
      const pcm = samples.subarray(start, start + 2 * Number(count));
      const values = Float64Array.from({ length: Number(count) }, (_, i) => pcm.readInt16LE(2 * i) / 32768);
      files[path.basename(file)] = wavFile(values, { bits: 16 });
    }
    return folderWith(files);
  }

  test("MFCC of threes and eights can be told apart by a line", async () => {
    const data = await loadData(recordings(), {
      seed: 1,
      testFiles: /_[0-4]\.wav$/,
      features: { rate: 8000, high: 3800, coefficients: 13 },
    });
    expect(data.classNames).toEqual(["3", "8"]);
    expect([data.train.count + data.validation.count, data.test!.count]).toEqual([540, 60]);
    expect(data.train.shape).toEqual([49, 13, 1]);
    const { test: accuracy } = softmaxRegression(data.train, data.test!, { epochs: 12, seed: 1 });
    // 60 recordings: chance is within 4 standard errors of a half, 0.5 + 4 * 0.065.
    expect(accuracy).toBeGreaterThan(0.76);
  });
});
