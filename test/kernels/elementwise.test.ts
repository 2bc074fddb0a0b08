import { beforeAll, describe, expect, test } from "vitest";
import { getOp } from "../../src/model/ops/index.js";
import type { Dtype } from "../../src/model/types.js";
import { compileKernels, FREE, type Kernels } from "./compile.js";

let kernels: Kernels;
beforeAll(async () => {
  const files = ["unary", "binary", "select", "quantize"];
  kernels = await compileKernels(files.map((file) => `export * from "./${file}";`).join("\n"));
});

type Words = Float32Array | Int32Array;
const U = 2 ** -24;
/** What roundings below 2^-126 may cost: half of the smallest number each, some of them doubled. */
const UNDERFLOW = 2 ** -148;

/** f32 numbers of every size and sign: all exponents with mantissas between, and a dense grid over [-12, 12]. */
const GRID = ((): Float32Array => {
  const values: number[] = [];
  for (let e = -149; e <= 127; e++)
    for (const m of [1, 1.0625, 1.1234567, 1.4142135, 1.5, 1.75, 1.9999999]) values.push(m * 2 ** e);
  for (let i = 0; i <= 24000; i++) values.push(i / 2000);
  return Float32Array.from(values.flatMap((v) => [v, -v]));
})();

const SPECIAL = Float32Array.of(NaN, Infinity, -Infinity, 0, -0);

/** Puts arrays behind one another in the kernels' memory and returns their addresses. */
function place(...arrays: readonly Words[]): number[] {
  let at = FREE;
  return arrays.map((array) => {
    const address = at;
    new (array instanceof Int32Array ? Int32Array : Float32Array)(kernels.memory.buffer, address, array.length).set(
      array,
    );
    at = (address + array.byteLength + 15) & ~15;
    return address;
  });
}

const read = (address: number, n: number, integer: boolean): Words =>
  integer
    ? new Int32Array(kernels.memory.buffer, address, n).slice()
    : new Float32Array(kernels.memory.buffer, address, n).slice();

/** y = f(x) over a run of neighbours. */
function unary(name: string, x: Words, integer = false, a = 0, b = 0): Words {
  const [px, py] = place(x, x);
  kernels[`unary_${name}`]!(px!, py!, 1, 1, 1, x.length, 0, 0, 0, 4, 0, 0, 0, 4, a, b);
  return read(py!, x.length, integer);
}

function binary(name: string, a: Words, b: Words, integer = false): Words {
  const [pa, pb, py] = place(a, b, a);
  kernels[`binary_${name}`]!(pa!, pb!, py!, 1, 1, 1, a.length, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4);
  return read(py!, a.length, integer);
}

const reference = (op: string, attrs: object, inputs: readonly Words[], dtype: Dtype = "f32"): Float64Array =>
  getOp(op).reference(
    inputs.map((x) => ({ data: Float64Array.from(x), shape: [x.length], dtype })),
    getOp(op).attrs.parse(attrs),
    [[inputs[0]!.length]],
  )[0]!.data;

const roundings = (op: string, attrs: object): number => {
  const t = getOp(op).tolerance([{ dtype: "f32", shape: [1], batchAxis: null }], attrs);
  return t.kind === "exact" ? 0 : t.count;
};

/** Largest error in roundings of `size`, beyond what underflow costs; throws where a special value differs. */
function worst(x: Float32Array, y: Words, exact: Float64Array, size: (x: number, y: number) => number): number {
  let most = 0;
  exact.forEach((e, i) => {
    const rounded = Math.fround(e);
    const got = y[i]!;
    if (!Number.isFinite(rounded) || !Number.isFinite(got)) {
      // At the end of the range the last rounding decides between Infinity and the largest number.
      const near = Math.abs(e) > 3.4028e38 && Math.abs(got) > 3.4028e38 && Math.sign(e) === Math.sign(got);
      if (!Object.is(got, rounded) && !near) expect.fail(`f(${x[i]}) is ${got}, not ${rounded}`);
      return;
    }
    const error = (Math.abs(got - e) - UNDERFLOW) / U / size(x[i]!, e);
    if (error > most) most = error;
  });
  return most;
}

const own = (_: number, y: number): number => Math.max(Math.abs(y), Number.MIN_VALUE);
const argument = (x: number, y: number): number => Math.max(Math.abs(x), own(x, y));
const one = (): number => 1;

/** Kernel, operator, attributes, what errors are relative to. */
const UNARY: readonly [string, string, object, (x: number, y: number) => number, number?, number?][] = [
  ["abs", "abs", {}, own],
  ["neg", "neg", {}, own],
  ["sign", "sign", {}, own],
  ["floor", "floor", {}, own],
  ["ceil", "ceil", {}, own],
  ["round", "round", {}, own],
  ["sqrt", "sqrt", {}, own],
  ["rsqrt", "rsqrt", {}, own],
  ["reciprocal", "reciprocal", {}, own],
  ["exp", "exp", {}, own],
  ["log", "log", {}, own],
  ["tanh", "tanh", {}, own],
  ["erf", "erf", {}, own],
  ["softplus", "softplus", {}, own],
  ["softsign", "softsign", {}, own],
  ["silu", "silu", {}, (x, y) => Math.max(own(x, y), Math.abs(x) * 2 ** -126)],
  ["hard_swish", "hard_swish", {}, argument],
  ["gelu", "gelu", { approximate: "none" }, argument],
  ["gelu_tanh", "gelu", { approximate: "tanh" }, argument],
  ["elu", "elu", { alpha: 0.7 }, own, 0.7],
  ["selu", "selu", { alpha: 1.6732632, gamma: 1.050701 }, own, 1.6732632, 1.050701],
  ["leaky_relu", "leaky_relu", { alpha: 0.01 }, own, 0.01],
  ["hard_sigmoid", "hard_sigmoid", { alpha: 0.2, beta: 0.5 }, (x) => Math.min(1, 0.2 * Math.abs(x) + 0.5), 0.2, 0.5],
  ["clip", "clip", { min: -0.5, max: 3.25 }, own, -0.5, 3.25],
  ["clip", "clip", { min: null, max: 2 }, own, -Infinity, 2],
];

describe("functions of one variable, over numbers of every size", () => {
  test.each(UNARY)("%s is within the roundings that %s %j states", (kernel, op, attrs, size, a, b) => {
    const y = unary(kernel, GRID, false, a, b);
    const most = worst(GRID, y, reference(op, attrs, [GRID]), size);
    if (process.env.SHOW) console.log(kernel, most.toFixed(2), roundings(op, attrs));
    expect(most).toBeLessThanOrEqual(roundings(op, attrs));
  });

  test.each(["sin", "cos"])("%s is within its roundings of 1 up to 2^26", (op) => {
    const x = GRID.filter((v) => Math.abs(v) <= 2 ** 26);
    const most = worst(x, unary(op, x), reference(op, {}, [x]), one);
    if (process.env.SHOW) console.log(op, most.toFixed(2));
    expect(most).toBeLessThanOrEqual(roundings(op, {}));
    // Far outside some value of the range; no trap.
    expect(unary(op, GRID).every((v) => Math.abs(v) <= 1)).toBe(true);
  });

  test.each(UNARY)("%s: infinities and NaN as in the reference (%s)", (kernel, op, attrs, _size, a, b) => {
    const y = unary(kernel, SPECIAL, false, a, b);
    const exact = reference(op, attrs, [SPECIAL]);
    SPECIAL.forEach((x, i) => {
      const [got, e] = [y[i]!, exact[i]!];
      const same = Number.isFinite(e) ? Math.abs(got - e) <= 1e-6 * Math.abs(e) : Object.is(got, e);
      if (!same) expect.fail(`${op}(${x}) is ${got}, not ${e}`);
    });
  });

  test("sine and cosine of infinities and NaN are NaN", () => {
    for (const op of ["sin", "cos"]) expect([...unary(op, SPECIAL.subarray(0, 3))]).toEqual([NaN, NaN, NaN]);
  });
});

const INTEGERS = Int32Array.of(
  0,
  1,
  -1,
  2,
  -2,
  3,
  -3,
  7,
  -7,
  100,
  -100,
  46341,
  -46341,
  2 ** 31 - 1,
  -(2 ** 31),
  127,
  128,
  255,
  256,
  -129,
);
const PAIRS = [...INTEGERS].flatMap((a) => [...INTEGERS].map((b) => [a, b] as const));
const A = Int32Array.from(PAIRS, ([a]) => a);
const B = Int32Array.from(PAIRS, ([, b]) => b);

describe("integers", () => {
  test.each([
    "add",
    "sub",
    "mul",
    "div",
    "min",
    "max",
    "pow",
    "floor_div",
    "floor_mod",
    "mod_trunc",
    "equal",
    "not_equal",
    "less",
    "less_equal",
  ])("%s is the reference's, at the ends of the range and for division by zero too", (op) => {
    expect([...binary(`${op}_i32`, A, B, true)]).toEqual([...reference(op, {}, [A, B], "i32")].map((v) => v + 0));
  });

  test.each(["abs", "neg", "sign"])("%s", (op) => {
    expect([...unary(`${op}_i32`, INTEGERS, true)]).toEqual(
      [...reference(op, {}, [INTEGERS], "i32")].map((v) => v + 0),
    );
  });

  test("clip", () => {
    const [x, y] = place(INTEGERS, INTEGERS);
    kernels["unary_clip_i32"]!(x!, y!, 1, 1, 1, INTEGERS.length, 0, 0, 0, 4, 0, 0, 0, 4, -7, 2 ** 24 + 1);
    expect([...read(y!, INTEGERS.length, true)]).toEqual([
      ...reference("clip", { min: -7, max: 2 ** 24 + 1 }, [INTEGERS], "i32"),
    ]);
  });

  test("casts", () => {
    for (const to of ["i8", "u8", "bool"]) {
      expect([...unary(`${to}_of_i32`, INTEGERS, true)]).toEqual([...reference("cast", { to }, [INTEGERS], "i32")]);
    }
    for (const to of ["i32", "i8", "u8", "bool"]) {
      for (const x of [GRID, SPECIAL]) {
        expect([...unary(`${to}_of_f32`, x, true)]).toEqual([...reference("cast", { to }, [x])].map((v) => v + 0));
      }
    }
    expect([...unary("f32_of_i32", INTEGERS)]).toEqual([...INTEGERS].map(Math.fround));
  });
});

/** Every 37th number of the grid against every 41st, and all special ones against one another. */
const [X, Y] = ((): [Float32Array, Float32Array] => {
  const some = (step: number): number[] => [...GRID.filter((_, i) => i % step === 0), ...SPECIAL, 1, -1, 0.5, 3];
  const pairs = some(373).flatMap((a) => some(389).map((b) => [a, b] as const));
  return [Float32Array.from(pairs, ([a]) => a), Float32Array.from(pairs, ([, b]) => b)];
})();

describe("functions of two variables", () => {
  test.each(["sub", "div", "min", "max", "pow", "floor_div", "mod_trunc", "prelu"])("%s", (op) => {
    const exact = reference(op, {}, [X, Y]);
    expect(worst(X, binary(op, X, Y), exact, own)).toBeLessThanOrEqual(roundings(op, {}));
  });

  test("floor_mod is within one rounding of the divisor", () => {
    const exact = reference("floor_mod", {}, [X, Y]);
    const y = binary("floor_mod", X, Y);
    exact.forEach((e, i) => {
      if (Number.isNaN(e)) expect(y[i]).toBeNaN();
      else if (Math.abs(e) === Infinity) expect(y[i]).toBe(e);
      else expect(Math.abs(y[i]! - e)).toBeLessThanOrEqual(U * Math.abs(Y[i]!) + UNDERFLOW);
    });
  });

  test.each(["equal", "not_equal", "less", "less_equal"])("%s, with NaN", (op) => {
    expect([...binary(op, X, Y, true)]).toEqual([...reference(op, {}, [X, Y])]);
  });

  test("logic", () => {
    const [a, b] = [Int32Array.of(0, 0, 1, 1, 0), Int32Array.of(0, 1, 0, 1, 1)];
    for (const op of ["and", "or", "xor"]) {
      expect([...binary(op, a, b, true)]).toEqual([...reference(`logical_${op}`, {}, [a, b], "bool")]);
    }
    expect([...unary("not", a, true)]).toEqual([1, 1, 0, 0, 1]);
  });
});

describe("places", () => {
  const count = 23;
  const x = Float32Array.from({ length: 4 * count }, (_, i) => Math.sin(i) * 3);

  test("a run, a strided row and one element after another give the same bits", () => {
    for (const kernel of ["tanh", "gelu", "hard_swish"]) {
      const dense = unary(kernel, x.subarray(0, count));
      const [p, q] = place(x, new Float32Array(4 * count));
      kernels[`unary_${kernel}`]!(p!, q!, 1, 1, 1, count, 0, 0, 0, 4, 0, 0, 0, 12, 0, 0);
      const spread = read(q!, 3 * count, false);
      dense.forEach((v, i) => {
        expect(spread[3 * i]).toBe(v);
        expect(unary(kernel, x.subarray(i, i + 1))[0]).toBe(v);
      });
    }
  });

  test("operands repeat along any axis, results keep off the gaps, and may replace an operand", () => {
    const [a, b, y] = place(x, Float32Array.of(1, 2, 3, 4, 5), new Float32Array(64).fill(-1));
    // y [2, 3, 5] in rows of 8 = a [2, 1, 5] - b [5].
    kernels["binary_sub"]!(a!, b!, y!, 1, 2, 3, 5, 0, 20, 0, 4, 0, 0, 0, 4, 0, 96, 32, 4);
    const got = read(y!, 48, false);
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++)
        for (let k = 0; k < 8; k++)
          expect(got[24 * i + 8 * j + k]).toBe(k < 5 ? Math.fround(x[5 * i + k]! - (k + 1)) : -1);
    kernels["binary_div"]!(a!, b! + 4, a!, 1, 1, 1, count, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4);
    read(a!, count, false).forEach((v, i) => expect(v).toBe(Math.fround(x[i]! / 2)));
  });

  test("select takes words of any kind, repeated or not", () => {
    const c = Int32Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const [pc, pa, pb, py] = place(c, x, Int32Array.of(77), x);
    kernels["select_words"]!(pc!, pa!, pb!, py!, 1, 1, 1, count, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4);
    const floats = read(py!, count, false);
    const integers = read(py!, count, true);
    c.forEach((v, i) => (v ? expect(floats[i]).toBe(x[i]) : expect(integers[i]).toBe(77)));
  });
});

describe("quantisation", () => {
  /** Halves, numbers beside them, and everything. */
  const x = Float32Array.from([
    ...Array.from({ length: 4001 }, (_, i) => (i - 2000) / 4),
    0.49999997,
    -0.49999997,
    ...GRID,
    Infinity,
    -Infinity,
    NaN,
  ]);

  test.each([
    ["i8", "away", 1, -3],
    ["u8", "even", 0.25, 128],
    ["i8", "even", 0.0473, 127],
    ["u8", "away", 1e-3, 0],
    ["i32", "away", 3e-7, 0],
    ["i8", "code", 0.5, -20],
    ["u8", "code", 0.031, 7],
  ] as const)("%s, halves to %s, scale %d, zero point %d", (dtype, rounding, scale, zeroPoint) => {
    const attrs = { dtype, rounding, scale: [scale], zeroPoint: [zeroPoint], axis: null };
    const [low, high] = { i8: [-128, 127], u8: [0, 255], i32: [-(2 ** 31), 2 ** 31 - 1] }[dtype] as [number, number];
    const table = new Int32Array(4);
    const floats = new Float32Array(table.buffer);
    floats.set([scale, low - zeroPoint, high - zeroPoint]);
    table[3] = zeroPoint;
    const run = (name: string, from: Words, integer: boolean): Words => {
      const [px, pt, py] = place(from, table, from);
      kernels[name]!(
        px!,
        pt!,
        py!,
        1,
        1,
        1,
        from.length,
        0,
        0,
        0,
        4,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        4,
        { away: 0, even: 1, code: 2 }[rounding],
      );
      return read(py!, from.length, integer);
    };
    const q = run("quantize_words", x, true);
    expect([...q]).toEqual([...reference("quantize", attrs, [x])].map((v) => v + 0));
    const real = run("dequantize_words", q, false);
    const { scale: s, zeroPoint: z } = attrs;
    expect(
      worst(x, real, reference("dequantize", { scale: s, zeroPoint: z, axis: null }, [q], dtype), own),
    ).toBeLessThanOrEqual(2);
    const fake = run("fake_quantize_words", x, false);
    expect(worst(x, fake, reference("fake_quantize", attrs, [x]), own)).toBeLessThanOrEqual(2);
  });
});
