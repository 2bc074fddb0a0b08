import { describe, expect, test } from "vitest";
import { Budget, copyOf, halvesToFloats } from "../../../src/formats/shared/bytes.js";
import { axesOf, checkShape, permOf } from "../../../src/formats/shared/check.js";
import { Names } from "../../../src/formats/shared/names.js";
import { compose, inverse, permute } from "../../../src/formats/shared/permute.js";
import { Refusals } from "../../../src/formats/shared/refusals.js";
import { reshapeTarget } from "../../../src/formats/shared/reshape.js";
import { samePadding } from "../../../src/formats/shared/window.js";
import { Random } from "../../../src/model/random.js";
import type { TensorType } from "../../../src/model/types.js";

const f32 = (shape: number[], batchAxis: number | null): TensorType => ({ dtype: "f32", shape, batchAxis });

describe("the target of a reshape", () => {
  test.each([
    // name                                          input                     target          options              expected
    ["-1 at the batch", f32([1, 4, 6], 0), [-1, 24], {}, [-1, 24]],
    ["the batch written as 1", f32([1, 4, 6], 0), [1, 24], {}, [-1, 24]],
    ["the batch written as 1, the rest as -1", f32([1, 4, 6], 0), [1, -1], {}, [-1, 24]],
    ["the batch written as 1, -1 in the middle", f32([1, 4, 6], 0), [1, -1, 3], {}, [-1, 8, 3]],
    ["units before the batch stay", f32([1, 4, 6], 0), [1, 1, 24], {}, [-1, 1, 24]],
    ["a file that was written for eight samples", f32([1, 4, 6], 0), [8, 24], { fileBatch: 8 }, [-1, 24]],
    ["several elements for each sample", f32([1, 10, 6], 0), [-1, 6], {}, [-1, 6]],
    ["back from several elements", f32([10, 6], 0), [1, 10, 6], {}, [-1, 10, 6]],
    ["the batch in second place", f32([5, 1, 6], 1), [5, 1, 2, 3], {}, [5, -1, 2, 3]],
    ["what stood in our own file", f32([1, 10, 4], 0), [1, -1, 4], { trustDynamic: true }, [1, -1, 4]],
    ["no batch", f32([2, 6], null), [-1, 4], {}, [3, 4]],
  ] as const)("%s", (_name, input, target, options, expected) => {
    expect(reshapeTarget(input, target, "here", options)).toEqual(expected);
  });

  test("a target that mixes samples cannot be followed", () => {
    expect(() => reshapeTarget(f32([6, 1, 4], 1), [2, 12], "here")).toThrowError(
      expect.objectContaining({ code: "E_BATCH" }),
    );
  });

  test.each([[[5, 5]], [[-1, 5]], [[-1, -1]], [[0, 24]], [[2.5, 10]], [[-2, 12]]])(
    "%s does not fit 24 values",
    (target) => {
      expect(() => reshapeTarget(f32([1, 24], 0), target, "here")).toThrowError(
        expect.objectContaining({ code: "E_SHAPE", message: expect.stringContaining("here: cannot reshape") }),
      );
    },
  );
});

test("SAME padding makes the output ceil(size / stride) and lets no window start beyond the end", () => {
  const random = new Random(3);
  for (let i = 0; i < 500; i++) {
    const [size, kernel, stride, dilation] = [
      1 + random.int(30),
      1 + random.int(6),
      1 + random.int(4),
      1 + random.int(3),
    ];
    const [before, after] = samePadding(size, kernel, stride, dilation);
    const reach = dilation * (kernel - 1) + 1;
    expect(Math.floor((size + before + after - reach) / stride) + 1).toBe(Math.ceil(size / stride));
    expect(after - before === 0 || after - before === 1).toBe(true);
    expect(samePadding(size, kernel, stride, dilation, "lower")).toEqual([after, before]);
  }
});

describe("permutations", () => {
  test("moved values are where the definition says", () => {
    const shape = [2, 3, 4];
    const data = Float32Array.from({ length: 24 }, (_, i) => i);
    const out = permute(data, shape, [2, 0, 1]);
    for (let a = 0; a < 2; a++)
      for (let b = 0; b < 3; b++)
        for (let c = 0; c < 4; c++) expect(out[(c * 2 + a) * 3 + b]).toBe((a * 3 + b) * 4 + c);
    expect(permute(Float32Array.of(7), [], [])).toEqual(Float32Array.of(7));
  });

  test("an inverse undoes, a composition does both", () => {
    const data = Float32Array.from({ length: 120 }, (_, i) => i);
    const shape = [2, 3, 4, 5];
    const [p, q] = [
      [3, 1, 0, 2],
      [0, 3, 1, 2],
    ];
    const moved = p.map((i) => shape[i]!);
    const once = permute(data, shape, p);
    expect(permute(once, moved, inverse(p))).toEqual(data);
    expect(permute(once, moved, q)).toEqual(permute(data, shape, compose(p, q)));
  });
});

test("16-bit floats are exact", () => {
  const bits = [0x0000, 0x8000, 0x3c00, 0xbc00, 0x3555, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00];
  const values = [0, -0, 1, -1, 0.333251953125, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 65504, Infinity, -Infinity];
  expect(Array.from(halvesToFloats(bits))).toEqual(values);
  expect(halvesToFloats([0x7e00])[0]).toBeNaN();
});

test("copies of a Buffer own their memory", () => {
  const source = Buffer.from([1, 2, 3, 4]);
  const copy = copyOf(source.subarray(1, 3));
  source[1] = 9;
  expect(Array.from(copy)).toEqual([2, 3]);
  expect(copy.buffer.byteLength).toBe(2);
});

test("a budget ends where constants outgrow their file", () => {
  const budget = new Budget("f", 100);
  budget.charge(1 << 20);
  expect(() => budget.charge(1 << 20)).toThrowError(expect.objectContaining({ code: "E_FORMAT" }));
  expect(() => new Budget("f", 100).charge(NaN)).toThrowError();
});

test("names are unique, and many equal ones cost no quadratic time", () => {
  const names = new Names();
  expect([names.fresh("a"), names.fresh("a"), names.fresh("a_1"), names.fresh("a"), names.fresh("")]).toEqual([
    "a",
    "a_1",
    "a_1_1",
    "a_2",
    "unnamed",
  ]);
  const start = performance.now();
  for (let i = 0; i < 100_000; i++) names.fresh("b");
  expect(performance.now() - start).toBeLessThan(2000);
});

test("shapes, axes and orders are checked", () => {
  expect(axesOf([-1, 0, 2], 3, "here")).toEqual([0, 2]);
  expect(permOf([-1, 0, 1], 3, "here")).toEqual([2, 0, 1]);
  expect(() => axesOf([3], 3, "here")).toThrowError(
    expect.objectContaining({ message: "here: axis 3 does not exist in a tensor of rank 3" }),
  );
  expect(() => permOf([0, 0, 1], 3, "here")).toThrowError(expect.objectContaining({ code: "E_FORMAT" }));
  for (const shape of [[0], [-1], [1.5], [2 ** 30, 2 ** 30], new Array<number>(9).fill(1)]) {
    expect(() => checkShape(shape, "x")).toThrowError(expect.objectContaining({ code: "E_FORMAT" }));
  }
});

test("refusals are one error, grouped by operator and reason, with at most eight nodes named for each", () => {
  const refusals = new Refusals("net.onnx");
  expect(() => refusals.throwIfAny()).not.toThrow();
  for (let i = 0; i < 10; i++) refusals.add("Resize", `r${i}`);
  refusals.add("Conv", "c", "a 1-D window");
  expect(() => refusals.throwIfAny()).toThrowError(
    expect.objectContaining({
      message:
        "net.onnx uses 2 operators that cannot be read: Resize (r0, r1, r2, r3, r4, r5, r6, r7 and 2 more); Conv with a 1-D window (c)",
    }),
  );
});

test.each([
  ["NonMaxSuppression", /leave the selection to the caller/i],
  ["NON_MAX_SUPPRESSION_V4", /leave the selection to the caller/i],
  ["CUSTOM TFLite_Detection_PostProcess", /leave the selection to the caller/i],
  ["CUSTOM SignalStacker", /custom operators have no public meaning/i],
  ["com.example.Warp", /custom operators have no public meaning/i],
  ["While", /unroll the loop/i],
  ["StatelessIf", /fix the branch/i],
])("%s is refused with what to do instead", (operator, advice) => {
  const refusals = new Refusals("net");
  refusals.add(operator, "n");
  expect(() => refusals.throwIfAny()).toThrowError(
    expect.objectContaining({ hint: expect.stringMatching(advice) as string }),
  );
});
