import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { getOp } from "../../../src/model/ops/index.js";
import { erf } from "../../../src/model/ops/shared/erf.js";
import { Random } from "../../../src/model/random.js";
import type { Dtype, TensorType } from "../../../src/model/types.js";

const run = (op: string, attrs: object, dtype: Dtype, ...inputs: number[][]): number[] => [
  ...getOp(op).reference(
    inputs.map((x) => ({ data: Float64Array.from(x), shape: [x.length], dtype })),
    getOp(op).attrs.parse(attrs),
    [[Math.max(...inputs.map((x) => x.length))]],
  )[0]!.data,
];

const type = (dtype: Dtype, ...shape: number[]): TensorType => ({ dtype, shape, batchAxis: null });
const batched = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: 0 });

describe("quantisation", () => {
  const RANGE = { i8: [-128, 127], u8: [0, 255] } as const;

  test("what was an integer comes back as the same integer", () => {
    const scales = fc.float({ min: Math.fround(1e-9), max: Math.fround(1e9), noNaN: true });
    fc.assert(
      fc.property(
        scales,
        fc.constantFrom("i8", "u8"),
        fc.constantFrom("away", "even"),
        fc.integer({ min: 0, max: 255 }),
        (scale, dtype, rounding, z) => {
          const [low, high] = RANGE[dtype];
          const zeroPoint = [low + z];
          const q = Array.from({ length: high - low + 1 }, (_, i) => low + i);
          const s = { scale: [scale], zeroPoint, axis: null };
          // As the kernels compute it: rounded to f32 in between.
          const real = run("dequantize", s, dtype as Dtype, q).map(Math.fround);
          expect(run("quantize", { ...s, dtype, rounding }, "f32", real)).toEqual(q);
          expect(run("fake_quantize", { ...s, dtype, rounding }, "f32", real).map(Math.fround)).toEqual(real);
        },
      ),
    );
  });

  test("halves, by hand; the ends of the range hold", () => {
    const half = (rounding: string): number[] =>
      run("quantize", { dtype: "i8", scale: [2], zeroPoint: [10], axis: null, rounding }, "f32", [
        1,
        3,
        -1,
        -3,
        4.9,
        5.1,
        1e9,
        -1e9,
        NaN,
      ]);
    expect(half("away")).toEqual([11, 12, 9, 8, 12, 13, 127, -128, 10]);
    expect(half("even")).toEqual([10, 12, 10, 8, 12, 13, 127, -128, 10]);
  });

  test("halves of codes by hand", () => {
    const a = { dtype: "i8", scale: [1], zeroPoint: [-10], axis: null };
    const x = [0.5, 2.5, -0.5, -2.5, 12.5];
    expect(run("quantize", a, "f32", x)).toEqual([-9, -7, -11, -13, 3]);
    expect(run("quantize", { ...a, rounding: "code" }, "f32", x)).toEqual([-10, -8, -11, -13, 3]);
  });

  describe("requantize", () => {
    const whole = { headroom: 0, low: -(2 ** 31), high: 2 ** 31 - 1, to: "i32" };

    test("halves of the product go up, halves of what is shifted away from zero; once: up", () => {
      const half = { ...whole, multiplier: [2 ** 30] };
      expect(run("requantize", { ...half, shift: [0] }, "i32", [1, -1, 3, -3, 4])).toEqual([1, 0, 2, -1, 2]);
      // 3/2 becomes 2, a quarter of which is 1/2; once: 3/8. Of -6 only the second rounding sees a half.
      expect(run("requantize", { ...half, shift: [-2] }, "i32", [3, -6, -4])).toEqual([1, -1, -1]);
      expect(run("requantize", { ...half, shift: [-2], rounding: "once" }, "i32", [3, -6, -4])).toEqual([0, -1, 0]);
      expect(run("requantize", { ...half, shift: [2], headroom: 3 }, "i32", [5])).toEqual([80]);
    });

    test("is exact for all of 32 bits", () => {
      const random = new Random(7);
      const word = (): number => Math.floor(random.next() * 2 ** 32) | 0;
      for (let k = 0; k < 500; k++) {
        const [x, multiplier, right] = [word() >> random.int(24), word() >>> 1, random.int(32)];
        const product = BigInt(x) * BigInt(multiplier);
        const high = (product + (1n << 30n)) >> 31n;
        const half = right === 0 ? 0n : 1n << BigInt(right - 1);
        const twice = high < 0n ? -((-high + half) >> BigInt(right)) : (high + half) >> BigInt(right);
        const once = (product + (1n << BigInt(30 + right))) >> BigInt(31 + right);
        const attrs = { ...whole, multiplier: [multiplier], shift: [-right] };
        expect(run("requantize", attrs, "i32", [x]).map((v) => v + 0)).toEqual([Number(twice)]);
        expect(run("requantize", { ...attrs, rounding: "once" }, "i32", [x]).map((v) => v + 0)).toEqual([Number(once)]);
      }
    });

    test("results are cut off at the bounds, and channels have multipliers of their own", () => {
      const attrs = { ...whole, multiplier: [2 ** 30, 2 ** 30], shift: [1, 3], low: -10, high: 20 };
      expect(run("requantize", attrs, "f32", [7, 2, -100, 9])).toEqual([7, 8, -10, 20]);
    });
  });

  test("the quotient is rounded to f32 first, as the source runtimes do", () => {
    let seen = 0;
    for (let k = 1; k < 100; k++) {
      const scale = Math.fround(1 + k * 1e-3);
      const x = Math.fround(100.5 * scale);
      // A little less than half way between two integers, but not in f32.
      if (x >= 100.5 * scale || Math.fround(x / scale) !== 100.5) continue;
      seen++;
      expect(run("quantize", { dtype: "i8", scale: [scale], zeroPoint: [0], axis: null }, "f32", [x])).toEqual([101]);
    }
    expect(seen).toBeGreaterThan(10);
  });

  test("scales are checked against the tensor", () => {
    const attrs = { dtype: "i8", scale: [1, 2], zeroPoint: [0], axis: 1 };
    const op = getOp("quantize");
    expect(op.infer([type("f32", 3, 2)], op.attrs.parse(attrs))[0]).toEqual(type("i8", 3, 2));
    expect(() => op.infer([type("f32", 2, 3)], op.attrs.parse(attrs))).toThrowError(
      expect.objectContaining({ code: "E_QUANT" }),
    );
    expect(() => op.infer([batched(2, 3)], op.attrs.parse({ ...attrs, axis: 0 }))).toThrowError(
      expect.objectContaining({ code: "E_BATCH" }),
    );
    const wide = { dtype: "i32", scale: [1], zeroPoint: [3], axis: null };
    expect(() => op.infer([type("f32", 2)], op.attrs.parse(wide))).toThrowError(
      expect.objectContaining({ code: "E_QUANT" }),
    );
  });
});

describe("casts, by hand", () => {
  test.each([
    ["f32", "i32", [1.9, -1.9, 3e9, -3e9, NaN], [1, -1, 2 ** 31 - 1, -(2 ** 31), 0]],
    ["f32", "i8", [127.9, 128, -128.9, 300, -300], [127, 127, -128, 127, -128]],
    ["f32", "u8", [-0.9, -1, 255.9, 256], [0, 0, 255, 255]],
    ["f32", "bool", [0, -0, 0.1, -3, NaN], [0, 0, 1, 1, 1]],
    ["i32", "i8", [127, 128, -129, 256, -1], [127, -128, 127, 0, -1]],
    ["i32", "u8", [-1, 256, 300, 255], [255, 0, 44, 255]],
    ["i64", "i32", [5, 2 ** 31, -(2 ** 31) - 1], [5, -(2 ** 31), 2 ** 31 - 1]],
    ["u8", "i8", [200, 127], [-56, 127]],
    ["bool", "f32", [0, 1], [0, 1]],
    ["i8", "bool", [0, -3, 7], [0, 1, 1]],
  ] as const)("%s to %s", (from, to, values, expected) => {
    expect(run("cast", { to }, from, [...values]).map((v) => v + 0)).toEqual(expected);
  });
});

describe("remainders", () => {
  const integers = fc.integer({ min: -1000, max: 1000 });

  test("of integers: a = floor_div b + floor_mod, with the sign of the divisor", () => {
    fc.assert(
      fc.property(
        integers,
        integers.filter((b) => b !== 0),
        (a, b) => {
          const [q] = run("floor_div", {}, "i32", [a], [b]);
          const [m] = run("floor_mod", {}, "i32", [a], [b]);
          expect(q! * b + m! + 0).toBe(a);
          expect(m === 0 || m! < 0 === b < 0).toBe(true);
          expect(Math.abs(m!)).toBeLessThan(Math.abs(b));
          const [d] = run("div", {}, "i32", [a], [b]);
          const [t] = run("mod_trunc", {}, "i32", [a], [b]);
          expect(d! * b + t! + 0).toBe(a);
          expect(t === 0 || t! < 0 === a < 0).toBe(true);
        },
      ),
    );
  });

  test("of reals, by hand", () => {
    expect(run("floor_mod", {}, "f32", [5.5, -5.5, 5.5, -5.5], [2, 2, -2, -2])).toEqual([1.5, 0.5, -0.5, -1.5]);
    expect(run("mod_trunc", {}, "f32", [5.5, -5.5, 5.5, -5.5], [2, 2, -2, -2])).toEqual([1.5, -1.5, 1.5, -1.5]);
    expect(run("floor_div", {}, "f32", [5.5, -5.5], [2, 2])).toEqual([2, -3]);
  });
});

describe("values worked out elsewhere", () => {
  test("erf, to 16 digits (tables)", () => {
    for (const [x, y] of [
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [2.9, 0.9999589021219005],
      [3.1, 0.9999883513426328],
      [4, 0.9999999845827421],
    ] as const) {
      expect(Math.abs(erf(x) - y)).toBeLessThanOrEqual(1e-15);
      expect(erf(-x)).toBe(-erf(x));
    }
    expect([erf(0), erf(9), erf(-Infinity), erf(NaN)]).toEqual([0, 1, -1, NaN]);
  });

  test.each([
    ["gelu", { approximate: "none" }, [1, -1], [0.8413447460685429, -0.15865525393145707]],
    ["gelu", { approximate: "tanh" }, [1], [0.8411919906082768]],
    ["hard_swish", {}, [-4, -1.5, 0, 1, 4], [0, -0.375, 0, 2 / 3, 4]],
    ["hard_sigmoid", { alpha: 0.2, beta: 0.5 }, [-3, 0, 1, 3], [0, 0.5, 0.7, 1]],
    ["softplus", {}, [0, 800, -800], [Math.LN2, 800, 0]],
    ["elu", { alpha: 2 }, [1, 0, -Infinity], [1, 0, -2]],
    ["leaky_relu", { alpha: 0.1 }, [3, -3], [3, -0.3]],
    ["round", {}, [0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6], [0, 2, 2, 0, -2, 2, 3]],
    ["clip", { min: 3, max: 1 }, [0, 2, 5], [1, 1, 1]],
    ["sign", {}, [-2, 0, 5], [-1, 0, 1]],
  ] as const)("%s %j", (op, attrs, x, expected) => {
    run(op, attrs, "f32", [...x]).forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 12));
  });

  test("pow follows C", () => {
    expect(run("pow", {}, "f32", [1, 1, -1, -8, -2, 0], [NaN, Infinity, Infinity, 1 / 3, 3, 0])).toEqual([
      1,
      1,
      1,
      NaN,
      -8,
      1,
    ]);
    expect(run("pow", {}, "i32", [3, 2, -2, 2, 0, -1], [4, 31, 3, -1, 0, -3])).toEqual([81, -(2 ** 31), -8, 0, 1, -1]);
  });
});

describe("types", () => {
  test.each([
    ["operands of two dtypes", "add", [type("f32", 2), type("i32", 2)], "E_DTYPE"],
    ["bytes in arithmetic", "mul", [type("u8", 2), type("u8", 2)], "E_DTYPE"],
    ["an order of truth values", "less", [type("bool", 2), type("bool", 2)], "E_DTYPE"],
    ["logic of numbers", "logical_and", [type("i32", 2), type("i32", 2)], "E_DTYPE"],
    ["a condition of numbers", "select", [type("f32", 2), type("f32", 2), type("f32", 2)], "E_DTYPE"],
    ["branches of two dtypes", "select", [type("bool", 2), type("f32", 2), type("i32", 2)], "E_DTYPE"],
    ["a slope that is larger than x", "prelu", [type("f32", 3), type("f32", 2, 3)], "E_BROADCAST"],
    ["an integer exponential", "exp", [type("i32", 3)], "E_DTYPE"],
    ["a condition that does not fit", "select", [type("bool", 2), type("f32", 3), type("f32", 3)], "E_BROADCAST"],
  ] as const)("%s is refused", (_title, op, inputs, code) => {
    expect(() => getOp(op).infer(inputs, {})).toThrowError(expect.objectContaining({ code }));
  });

  test("a comparison is bool, three operands broadcast together", () => {
    expect(getOp("less").infer([batched(1, 3, 1), type("f32", 4)], {})[0]).toEqual({
      ...batched(1, 3, 4),
      dtype: "bool",
    });
    const select = getOp("select").infer([{ ...batched(1, 1, 2), dtype: "bool" }, type("i32", 3, 1), type("i32")], {});
    expect(select).toEqual([{ ...batched(1, 3, 2), dtype: "i32" }]);
  });
});
