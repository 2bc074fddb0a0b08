import { expect, test } from "vitest";
import type { Split } from "../../src/model/dataset.js";
import { mirrored } from "../../src/pruner/splits.js";
import { splitOf } from "../analyzer/support.js";

const [H, W, C] = [8, 9, 3];
const value = (image: number, y: number, x: number, c: number): number => 1000 * image + 100 * y + 10 * x + c;

function images(shape: number[], at: (y: number, x: number, c: number) => number): Split {
  const samples = [1, 2].map((image) => {
    const sample = new Array<number>(H * W * C).fill(0);
    for (let y = 0; y < H; y++)
      for (let x = 0; x < W; x++) for (let c = 0; c < C; c++) sample[at(y, x, c)] = value(image, y, x, c);
    return sample;
  });
  return splitOf(samples, shape, [0, 1]);
}

test.each([
  ["channels last", [H, W, C], (y: number, x: number, c: number) => (y * W + x) * C + c],
  ["channels first", [C, H, W], (y: number, x: number, c: number) => (c * H + y) * W + x],
] as const)("%s: columns are turned round, rows and channels stay", (_, shape, at) => {
  const out = new Float32Array(2 * H * W * C);
  mirrored(images([...shape], at))!.read([1, 0], out);
  [2, 1].forEach((image, i) => {
    for (let y = 0; y < H; y++)
      for (let x = 0; x < W; x++)
        for (let c = 0; c < C; c++) expect(out[i * H * W * C + at(y, x, c)]).toBe(value(image, y, W - 1 - x, c));
  });
});

test("what is no image is not mirrored: vectors, many channels, spectrograms of few bands", () => {
  for (const shape of [[64], [8, 8, 16], [49, 4, 1]]) {
    const size = shape.reduce((a, b) => a * b, 1);
    expect(mirrored(splitOf([new Array<number>(size).fill(0)], shape, [0]))).toBeNull();
  }
});
