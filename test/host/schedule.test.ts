import { describe, expect, test } from "vitest";
import { cutMix, shiftFlip } from "../../src/host/augment.js";
import { Batches } from "../../src/host/batches.js";
import { cosinePi, learningRate } from "../../src/host/schedule.js";
import { Random } from "../../src/model/random.js";
import { splitOf } from "./toys.js";

describe("learning rate", () => {
  // Both round their argument, of up to pi, and their result: 4 + 1 units of 2^-53 each.
  test("the cosine is the cosine", () => {
    for (let i = 0; i <= 1000; i++)
      expect(Math.abs(cosinePi(i / 1000) - Math.cos((Math.PI * i) / 1000))).toBeLessThan(10 * 2 ** -53);
  });

  test("rises in a line, then falls along half a cosine to the end", () => {
    const rates = Array.from({ length: 14 }, (_, step) => learningRate({ lr: 2, warmupSteps: 4 }, step, 14));
    expect(rates.slice(0, 4)).toEqual([0.5, 1, 1.5, 2]);
    expect(rates[4]).toBe(2);
    expect(rates[9]).toBeCloseTo(1, 15);
    for (let i = 5; i < 14; i++) expect(rates[i]).toBeLessThan(rates[i - 1]!);
    expect(learningRate({ lr: 2, schedule: "constant" }, 9, 10)).toBe(2);
  });
});

test("a ramp doubles every four steps, in equal ratios", () => {
  const rates = Array.from({ length: 9 }, (_, step) =>
    learningRate({ lr: 3, warmupSteps: 4, schedule: "ramp" }, step, 9),
  );
  expect([rates[0], rates[4], rates[8]]).toEqual([3, 6, 12]);
  // Each is a product of at most four roundings.
  for (let i = 1; i < 9; i++) expect(Math.abs(rates[i]! / rates[i - 1]! / 2 ** 0.25 - 1)).toBeLessThan(8 * 2 ** -53);
});

describe("shift and flip", () => {
  const image = (): Float32Array => Float32Array.from({ length: 16 * 16 * 2 }, (_, i) => i);

  test("draws from the seed alone, and only moves pixels", () => {
    const augment = shiftFlip([16, 16, 2]);
    const [a, b] = [image(), image()];
    augment(a, new Random(3));
    augment(b, new Random(3));
    expect(a).toEqual(b);
    const known = new Set(image());
    for (let i = 0; i < a.length; i += 2) {
      expect(known.has(a[i]!)).toBe(true);
      // Channels of a pixel stay together.
      expect(a[i + 1]).toBe(a[i]! + 1);
    }
  });

  test("moves by an eighth at most, in both directions, and mirrors half", () => {
    const augment = shiftFlip([16, 16, 2]);
    const random = new Random(4);
    const seen = new Set<string>();
    for (let k = 0; k < 400; k++) {
      const a = image();
      augment(a, random);
      // Where the middle pixel came from, and whether its right neighbour came from its right.
      const from = a[2 * (16 * 8 + 8)]! / 2;
      const flip = a[2 * (16 * 8 + 9)]! / 2 < from;
      const dx = flip ? 15 - (from % 16) - 8 : (from % 16) - 8;
      seen.add(`${Math.floor(from / 16) - 8},${dx},${flip}`);
    }
    expect(seen.size).toBe(5 * 5 * 2);
  });

  test("channels first is the same picture", () => {
    const last = image().subarray(0, 16 * 16);
    const [a, b] = [Float32Array.from(last), Float32Array.from(last)];
    shiftFlip([16, 16, 1])(a, new Random(5));
    shiftFlip([1, 16, 16])(b, new Random(5));
    expect(b).toEqual(a);
    expect(() => shiftFlip([10])).toThrowError(expect.objectContaining({ code: "E_AUGMENT" }));
  });
});

describe("batches", () => {
  const data = splitOf(
    "numbers",
    [1],
    Float32Array.from({ length: 10 }, (_, i) => i),
    Int32Array.from({ length: 10 }, (_, i) => i % 3),
    3,
  );

  test("show each sample at most once in an epoch, in another order in the next; targets sum to 1", () => {
    const batches = new Batches(data, 4, 0.3, null, null, 1);
    expect(batches.perEpoch).toBe(2);
    const epochs = [0, 1].map(() => {
      const seen: number[] = [];
      for (let b = 0; b < 2; b++) {
        const images = [new Float32Array(2), new Float32Array(2)];
        const targets = [new Float32Array(6), new Float32Array(6)];
        batches.fill(images, targets);
        images.forEach((part, s) =>
          part.forEach((v, i) => {
            seen.push(v);
            const target = targets[s]!.subarray(3 * i, 3 * i + 3);
            target.forEach((p, c) => expect(p).toBeCloseTo(c === v % 3 ? 0.8 : 0.1, 6));
          }),
        );
      }
      expect(new Set(seen).size).toBe(8);
      return seen;
    });
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  test("do not depend on the number of shards", () => {
    const order = (shards: number): number[] => {
      const images = Array.from({ length: shards }, () => new Float32Array(8 / shards));
      new Batches(data, 8, 0, null, null, 5).fill(images, null);
      return images.flatMap((part) => [...part]);
    };
    expect(order(4)).toEqual(order(1));
  });

  test("mix a part of the next sample of the shard into some, and the labels in the same proportion", () => {
    const shape = [4, 4, 1];
    const pixels = Float32Array.from({ length: 6 * 16 }, (_, i) => Math.floor(i / 16) % 3); // each pixel is its label
    const images = splitOf(
      "flat",
      shape,
      pixels,
      Int32Array.from({ length: 6 }, (_, i) => i % 3),
      3,
    );
    const fill = (share: number): [Float32Array, Float32Array] => {
      const [part, target] = [new Float32Array(96), new Float32Array(18)];
      new Batches(images, 6, 0, null, { mix: cutMix(shape), share }, 7).fill([part], [target]);
      return [part, target];
    };
    const composites = ([part, target]: [Float32Array, Float32Array]): number => {
      let mixed = 0;
      for (let i = 0; i < 6; i++) {
        const own = part.subarray(16 * i, 16 * i + 16);
        const shares = [0, 1, 2].map((c) => own.filter((v) => v === c).length / 16);
        expect([...target.subarray(3 * i, 3 * i + 3)]).toEqual(shares);
        mixed += shares.includes(1) ? 0 : 1;
      }
      return mixed;
    };
    expect(composites(fill(0))).toBe(0);
    expect(composites(fill(1))).toBeGreaterThan(0);
    expect(fill(1)).toEqual(fill(1));
  });
});

describe("cutMix", () => {
  test("pastes one box and says what is left; channels-first images get the same box", () => {
    const random = new Random(2);
    for (let n = 0; n < 50; n++) {
      const seed = random.int(1e6);
      const [last, first] = [new Float32Array(6 * 8 * 2), new Float32Array(6 * 8 * 2)];
      const left = cutMix([6, 8, 2])(last, new Float32Array(96).fill(1), new Random(seed));
      expect(cutMix([2, 6, 8])(first, new Float32Array(96).fill(1), new Random(seed))).toBe(left);
      expect(last.reduce((s, v) => s + v)).toBe(Math.round((1 - left) * 96));
      const cells = Array.from({ length: 48 }, (_, i) => i).filter((i) => last[2 * i] === 1);
      const rows = cells.map((i) => Math.floor(i / 8));
      const columns = cells.map((i) => i % 8);
      const extent = (v: number[]): number => (v.length === 0 ? 0 : Math.max(...v) - Math.min(...v) + 1);
      expect(extent(rows) * extent(columns)).toBe(cells.length);
      cells.forEach((i) => expect([last[2 * i + 1], first[i], first[48 + i]]).toEqual([1, 1, 1]));
    }
  });
});
