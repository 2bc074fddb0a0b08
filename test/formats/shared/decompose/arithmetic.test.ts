import { describe, expect, test } from "vitest";
import { oneHot, reverse, squaredDifference } from "../../../../src/formats/shared/decompose/arithmetic.js";
import type { Dtype, TensorValue } from "../../../../src/model/types.js";
import { decomposed, f32, numbers } from "./support.js";
import { Random } from "../../../../src/model/random.js";
import { whole } from "./support.js";

const random = new Random(31);

test("squared difference broadcasts", async () => {
  const [a, b] = [f32([2, 3]), f32([3])];
  const values = [whole(random, a), whole(random, b)];
  const [y] = await decomposed([a, b], values, (e, [p, q]) => [squaredDifference(e, p!, q!)]);
  const [p, q] = values.map(numbers) as [number[], number[]];
  expect(numbers(y!)).toEqual(p.map((v, i) => (v - q[i % 3]!) ** 2));
});

describe("reverse", () => {
  test("turns the named axes round and no other", async () => {
    const type = f32([1, 2, 3], 0);
    const x: TensorValue = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [1, 2, 3], dtype: "f32" };
    const [rows, both] = await decomposed([type], [x], (e, [t]) => [reverse(e, t!, [1]), reverse(e, t!, [1, 2])]);
    expect(numbers(rows!)).toEqual([4, 5, 6, 1, 2, 3]);
    expect(numbers(both!)).toEqual([6, 5, 4, 3, 2, 1]);
  });

  test("twice is nothing", async () => {
    const type = f32([1, 4, 3, 2], 0);
    const x = whole(random, type, 2);
    const [y] = await decomposed([type], [x], (e, [t]) => [reverse(e, reverse(e, t!, [1, 3]), [1, 3])]);
    expect(y).toEqual(x);
  });

  test("the order of samples cannot be turned round", async () => {
    const type = f32([1, 2], 0);
    const refused = decomposed([type], [whole(random, type)], (e, [t]) => [reverse(e, t!, [0])]);
    await expect(refused).rejects.toMatchObject({ code: "E_BATCH" });
  });
});

describe("one hot", () => {
  const indices: TensorValue = { data: Int32Array.of(2, -1, 7, 0), shape: [2, 2], dtype: "i32" };

  async function encode(axis: number, negative: boolean, dtype: Dtype = "i32"): Promise<TensorValue> {
    const value = dtype === "i32" ? indices : { ...indices, data: Float32Array.of(2, -1, 7, 0), dtype };
    const [y] = await decomposed([{ dtype, shape: [1, 2], batchAxis: 0 }], [value], (e, [t]) => [
      oneHot(e, t!, {
        depth: 3,
        axis,
        on: e.constant([1], Float32Array.of(5)),
        off: e.constant([1], Float32Array.of(-1)),
        negative,
      }),
    ]);
    return y!;
  }

  test("on the last axis; what is not among 0 ... depth - 1 has no place", async () => {
    const y = await encode(2, false);
    expect(y.shape).toEqual([2, 2, 3]);
    expect(numbers(y)).toEqual([-1, -1, 5, -1, -1, -1, -1, -1, -1, 5, -1, -1]);
  });

  test("on another axis, negative indices from the end", async () => {
    const y = await encode(1, true);
    expect(y.shape).toEqual([2, 3, 2]);
    expect(numbers(y)).toEqual([-1, -1, -1, -1, 5, 5, -1, 5, -1, -1, -1, -1]);
  });

  test("whole numbers in floats are indices too", async () => {
    expect(numbers(await encode(2, false, "f32"))).toEqual(numbers(await encode(2, false)));
  });
});
