import { describe, expect, test } from "vitest";
import type { BlockOrder } from "../../../../src/formats/shared/decompose/space.js";
import {
  batchToSpace,
  depthToSpace,
  spaceToBatch,
  spaceToDepth,
} from "../../../../src/formats/shared/decompose/space.js";
import { split, splitEvenly, stack, unstack } from "../../../../src/formats/shared/decompose/split.js";
import { Random } from "../../../../src/model/random.js";
import { decomposed, f32, numbers, whole } from "./support.js";

const type = f32([1, 4, 6, 8], 0);
const random = new Random(11);

describe("split and stack", () => {
  test.each([1, 2, 3])("the parts of a split along axis %s join to the whole", async (axis) => {
    const x = whole(random, type, 2);
    const [y] = await decomposed([type], [x], (e, [t]) => {
      const extent = type.shape[axis]!;
      return [e.emit("concat", split(e, t!, axis, [1, extent - 3, 2]), { axis })];
    });
    expect(y).toEqual(x);
  });

  test("a split takes the elements of its part", async () => {
    const x = whole(random, f32([2, 5]));
    const [, second] = await decomposed([f32([2, 5])], [x], (e, [t]) => split(e, t!, 1, [1, 4]));
    expect(second!.shape).toEqual([2, 4]);
    expect(numbers(second!)).toEqual([...numbers(x).slice(1, 5), ...numbers(x).slice(6, 10)]);
  });

  test("uneven parts: the last is smaller", async () => {
    const parts = await decomposed([f32([7])], [whole(random, f32([7]))], (e, [t]) => splitEvenly(e, t!, 0, 3));
    expect(parts.map((p) => p.shape)).toEqual([[3], [3], [1]]);
  });

  test("parts that do not add up are refused", async () => {
    const x = whole(random, f32([5]));
    await expect(decomposed([f32([5])], [x], (e, [t]) => split(e, t!, 0, [2, 2]))).rejects.toMatchObject({
      code: "E_SHAPE",
    });
  });

  test.each([1, 2, 3, 4])("what is stacked before axis %s comes apart again", async (axis) => {
    const [a, b] = [whole(random, type, 2), whole(random, type, 2)];
    const [both, first, second] = await decomposed([type, type], [a, b], (e, tensors) => {
      const y = stack(e, tensors, axis);
      return [y, ...unstack(e, y, axis)];
    });
    expect(both!.shape).toEqual([...a.shape.slice(0, axis), 2, ...a.shape.slice(axis)]);
    expect([first, second]).toEqual([a, b]);
  });

  test("stacked in front of the batch, the batch is still one axis", async () => {
    const [a, b] = [whole(random, type, 3), whole(random, type, 3)];
    const [y] = await decomposed([type, type], [a, b], (e, tensors) => [stack(e, tensors, 0)]);
    expect(y!.shape).toEqual([2, 3, 4, 6, 8]);
    expect(numbers(y!)).toEqual([...numbers(a), ...numbers(b)]);
  });
});

describe("blocks of pixels as channels", () => {
  /** Where the definition puts channel k of pixel (y, x) within its block. */
  const channel = (order: BlockOrder, y: number, x: number, k: number, c: number): number =>
    order === "dcr" ? (y * 2 + x) * c + k : (k * 2 + y) * 2 + x;

  test.each(["dcr", "crd"] as const)("depth to space, %s, index by index", async (order) => {
    const x = whole(random, type, 2);
    const [y] = await decomposed([type], [x], (e, [t]) => [depthToSpace(e, t!, 2, order)]);
    expect(y!.shape).toEqual([2, 8, 12, 2]);
    const [from, to] = [numbers(x), numbers(y!)];
    for (let n = 0, q = 0; n < 2; n++)
      for (let i = 0; i < 8; i++)
        for (let j = 0; j < 12; j++)
          for (let k = 0; k < 2; k++, q++) {
            const pixel = (n * 4 + (i >> 1)) * 6 + (j >> 1);
            expect(to[q]).toBe(from[pixel * 8 + channel(order, i & 1, j & 1, k, 2)]);
          }
  });

  test.each(["dcr", "crd"] as const)("space to depth undoes it, %s", async (order) => {
    const x = whole(random, type, 2);
    const [y] = await decomposed([type], [x], (e, [t]) => [spaceToDepth(e, depthToSpace(e, t!, 2, order), 2, order)]);
    expect(y).toEqual(x);
  });

  test("channels that do not fill the blocks are refused", async () => {
    const x = whole(random, type);
    const refused = decomposed([type], [x], (e, [t]) => [depthToSpace(e, t!, 3)]);
    await expect(refused).rejects.toMatchObject({ code: "E_SHAPE" });
  });
});

describe("blocks of pixels as samples", () => {
  const paddings = [
    [1, 1],
    [0, 3],
  ] as const;

  test("one sample, index by index", async () => {
    const x = whole(random, type);
    const [y] = await decomposed([type], [x], (e, [t]) => [spaceToBatch(e, t!, [2, 3], paddings)]);
    expect(y!.shape).toEqual([6, 3, 3, 8]);
    const [from, to] = [numbers(x), numbers(y!)];
    for (let b = 0, q = 0; b < 6; b++)
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++)
          for (let k = 0; k < 8; k++, q++) {
            const row = i * 2 + Math.floor(b / 3) - 1;
            const column = j * 3 + (b % 3);
            const inside = row >= 0 && row < 4 && column < 6;
            expect(to[q]).toBe(inside ? from[(row * 6 + column) * 8 + k] : 0);
          }
  });

  test.each([
    ["a marked batch", f32([1, 4, 6, 8], 0), 3],
    ["samples without a mark", f32([3, 4, 6, 8]), 1],
    ["several for each sample", f32([2, 4, 6, 8], 0), 2],
  ] as const)("batch to space undoes it: %s", async (_name, t, batch) => {
    const x = whole(random, t, batch);
    const [y] = await decomposed([t], [x], (e, [name]) => [
      batchToSpace(e, spaceToBatch(e, name!, [2, 3], paddings), [2, 3], paddings),
    ]);
    expect(y).toEqual(x);
  });

  test("without a mark the order is the format's: blocks before samples", async () => {
    const t = f32([2, 2, 1]);
    const x = { ...whole(random, t), data: Float32Array.of(0, 1, 10, 11) };
    const [y] = await decomposed([t], [x], (e, [name]) => [spaceToBatch(e, name!, [2], [[0, 0]])]);
    expect(numbers(y!)).toEqual([0, 10, 1, 11]);
  });
});
