/** ONNX operators that are read as several of the IR, against what their definitions say. */
import { describe, expect, test } from "vitest";
import { TensorProto_DataType as T } from "../../../src/formats/onnx/generated/onnx_pb.js";
import { cosineOf } from "../../../src/formats/onnx/operators/spectrum.js";
import { readOnnx } from "../../../src/formats/onnx/read.js";
import { createExecutor } from "../../../src/host/executor.js";
import { ReferenceExecutor } from "../../../src/host/reference.js";
import type { TensorRecord, TensorValue } from "../../../src/model/types.js";
import { writeOnnx, type TestAttribute, type TestOnnx } from "../onnx-writer.js";

const U = 2 ** -24;
const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
const f32 = (shape: number[], f: (i: number) => number): TensorValue => ({
  shape,
  dtype: "f32",
  data: Float32Array.from({ length: size(shape) }, (_, i) => f(i)),
});
const i64 = (shape: number[], ...values: number[]): TensorValue => ({
  shape,
  dtype: "i64",
  data: BigInt64Array.from(values, BigInt),
});
const i32 = (shape: number[], ...values: number[]): TensorValue => ({
  shape,
  dtype: "i32",
  data: Int32Array.from(values),
});
const bool = (shape: number[], ...values: number[]): TensorValue => ({
  shape,
  dtype: "bool",
  data: Uint8Array.from(values),
});
const TYPES = { f32: T.FLOAT, i64: T.INT64, i32: T.INT32, i8: T.INT8, u8: T.UINT8, bool: T.BOOL };

/** A model of one operator. */
function model(
  op: string,
  inputs: TensorRecord,
  attributes: Record<string, TestAttribute> = {},
  more: Partial<TestOnnx> & { output?: string | string[]; operands?: string[] } = {},
): TestOnnx {
  const { output = "y", operands = Object.keys(inputs), ...rest } = more;
  return {
    opset: 20,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])),
    types: Object.fromEntries(Object.entries(inputs).map(([name, { dtype }]) => [name, TYPES[dtype]])),
    nodes: [{ op, inputs: operands, output, attributes }],
    ...rest,
  };
}

/** On the reference executor, which rounds results alone. */
async function reference(m: TestOnnx, inputs: TensorRecord): Promise<TensorRecord> {
  return new ReferenceExecutor(readOnnx(writeOnnx(m), "m", "m.onnx")).run(inputs);
}

async function host(m: TestOnnx, inputs: TensorRecord): Promise<TensorRecord> {
  const executor = createExecutor("wasm", readOnnx(writeOnnx(m), "m", "m.onnx"), { threads: 1 });
  const result = await executor.run(inputs);
  await executor.close();
  return result;
}

const numbers = ({ data }: TensorValue): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

/** Within the rounding of results and of the constants that f32 holds. */
function expectClose(got: TensorValue | undefined, shape: readonly number[], want: readonly number[]): void {
  expect(got!.shape).toEqual(shape);
  numbers(got!).forEach((v, i) =>
    expect(Math.abs(v - want[i]!), `element ${i}`).toBeLessThanOrEqual(4 * U * (Math.abs(want[i]!) + 1)),
  );
}

/** A repeatable sequence between -1 and 1. */
const wave = (i: number): number => Math.fround(Math.sin(1.7 * i + 0.3));

describe("inverse functions of angles", () => {
  const points = f32([2001], (i) => (i - 1000) / 1000);
  const wide = f32([4001], (i) => Math.fround((i - 2000) ** 3 / 2 ** 20));
  // Operations of the formula that act on the whole result, one rounding each, and what they hand on.
  test.each([
    ["Atan", Math.atan, wide, 4],
    ["Asin", Math.asin, points, 8],
    ["Acos", Math.acos, points, 8],
  ] as const)("%s", async (op, f, x, roundings) => {
    const { y } = await host(model(op, { x }), { x });
    numbers(y!).forEach((v, i) => {
      const want = f(x.data[i] as number);
      expect(Math.abs(v - want), `${x.data[i]}`).toBeLessThanOrEqual(roundings * U * Math.abs(want));
    });
  });
});

describe("bits of integers", () => {
  const a = i32([6], 0, -1, 12345, -98765, 2 ** 31 - 1, -(2 ** 31));
  const b = i32([6], 5, 77, -1, 4242, 3, -7);
  const pairs = numbers(a).map((v, i) => [v, numbers(b)[i]!] as const);
  test.each([
    ["BitwiseAnd", (x: number, y: number) => x & y],
    ["BitwiseOr", (x: number, y: number) => x | y],
    ["BitwiseXor", (x: number, y: number) => x ^ y],
  ])("%s", async (op, f) => {
    const { y } = await host(model(op, { a, b }), { a, b });
    expect(numbers(y!)).toEqual(pairs.map(([x, z]) => f(x, z)));
  });

  test("BitwiseNot of signed and unsigned numbers", async () => {
    expect(numbers((await host(model("BitwiseNot", { a }), { a })).y!)).toEqual(numbers(a).map((v) => ~v));
    const x: TensorValue = { shape: [3], dtype: "u8", data: Uint8Array.of(0, 1, 200) };
    expect(numbers((await host(model("BitwiseNot", { x }), { x })).y!)).toEqual([255, 254, 55]);
  });

  test.each(["LEFT", "RIGHT"])("BitShift %s, by any number of places", async (direction) => {
    const x = i32([2, 1], -123456789, 987654321);
    const by = i32([7], 0, 1, 16, 30, 31, 32, -1);
    const { y } = await host(model("BitShift", { x, by }, { direction }), { x, by });
    const want = numbers(x).flatMap((v) =>
      numbers(by).map((n) => {
        const inside = n >= 0 && n < 32;
        if (direction === "LEFT") return inside ? v << n : 0;
        return inside ? v >> n : v < 0 ? -1 : 0;
      }),
    );
    expect(numbers(y!)).toEqual(want);
  });
});

describe("attention", () => {
  const [batch, heads, queries, keys, width] = [2, 2, 3, 4, 4];
  const q = f32([batch, heads, queries, width], wave);
  const k = f32([batch, heads, keys, width], (i) => wave(i + 100));
  const v = f32([batch, heads, keys, width], (i) => wave(i + 200));

  /** As the definition has it, `allowed(i, j)` keys alone, `bias` added to every score. */
  function attend(allowed: (i: number, j: number) => boolean, bias = (_i: number, _j: number): number => 0): number[] {
    const out: number[] = [];
    for (let h = 0; h < batch * heads; h++) {
      for (let i = 0; i < queries; i++) {
        const scores = Array.from({ length: keys }, (_, j) => {
          let sum = 0;
          for (let d = 0; d < width; d++) {
            sum += numbers(q)[(h * queries + i) * width + d]! * numbers(k)[(h * keys + j) * width + d]!;
          }
          return allowed(i, j) ? sum / Math.sqrt(width) + bias(i, j) : -Infinity;
        });
        const largest = Math.max(...scores);
        const powers = scores.map((s) => (largest === -Infinity ? 0 : Math.exp(s - largest)));
        const total = powers.reduce((x, y) => x + y, 0) || 1;
        for (let d = 0; d < width; d++) {
          out.push(powers.reduce((sum, p, j) => sum + (p / total) * numbers(v)[(h * keys + j) * width + d]!, 0));
        }
      }
    }
    return out;
  }

  test("all keys, causal, masked by truth values and by numbers", async () => {
    const shape = [batch, heads, queries, width];
    expectClose(
      (await reference(model("Attention", { q, k, v }), { q, k, v })).y,
      shape,
      attend(() => true),
    );
    const causal = await reference(model("Attention", { q, k, v }, { is_causal: 1 }), { q, k, v });
    expectClose(
      causal.y,
      shape,
      attend((i, j) => j <= i),
    );
    // The second query may see nothing, and gets zeros.
    const seen = (i: number, j: number): boolean => i !== 1 && (i + j) % 3 !== 0;
    const at = (n: number): [number, number] => [Math.floor(n / keys), n % keys];
    const mask = bool([queries, keys], ...Array.from({ length: queries * keys }, (_, n) => Number(seen(...at(n)))));
    const hidden = { q, k, v, mask };
    expectClose((await reference(model("Attention", hidden), hidden)).y, shape, attend(seen));
    const numbersMask = f32([queries, keys], (n) => wave(n + 7));
    const biased = { q, k, v, mask: numbersMask };
    const wanted = attend(
      () => true,
      (i, j) => wave(i * keys + j + 7),
    );
    expectClose((await reference(model("Attention", biased), biased)).y, shape, wanted);
  });

  test("heads side by side, keys of earlier calls, shared heads", async () => {
    const side = (x: TensorValue, length: number): TensorValue =>
      f32([batch, length, heads * width], (n) => {
        const [b, rest] = [Math.floor(n / (length * heads * width)), n % (length * heads * width)];
        const [i, h, d] = [Math.floor(rest / (heads * width)), Math.floor(rest / width) % heads, rest % width];
        return numbers(x)[((b * heads + h) * length + i) * width + d]!;
      });
    const joined = { q: side(q, queries), k: side(k, keys), v: side(v, keys) };
    const attributes = { q_num_heads: heads, kv_num_heads: heads };
    const { y } = await reference(model("Attention", joined, attributes), joined);
    const plain = { ...f32([batch, heads, queries, width], () => 0), data: Float32Array.from(attend(() => true)) };
    expectClose(y, [batch, queries, heads * width], numbers(side(plain, queries)));
    // Each half of the keys as the past of the other.
    const half = (x: TensorValue, first: number): TensorValue =>
      f32([batch, heads, keys / 2, width], (n) => {
        const [row, d] = [Math.floor(n / width), n % width];
        const [h, j] = [Math.floor(row / (keys / 2)), row % (keys / 2)];
        return numbers(x)[(h * keys + first + j) * width + d]!;
      });
    const cached = { q, k: half(k, 2), v: half(v, 2), pastK: half(k, 0), pastV: half(v, 0) };
    const m = model(
      "Attention",
      cached,
      {},
      { operands: ["q", "k", "v", "", "pastK", "pastV"], output: ["y", "allK"] },
    );
    const result = await reference({ ...m, outputs: ["y", "allK"] }, cached);
    expectClose(
      result.y,
      [batch, heads, queries, width],
      attend(() => true),
    );
    expect(numbers(result.allK!)).toEqual(numbers(k));
  });

  test("pairs of features are turned by their angle", async () => {
    const [length, pairs] = [3, 2];
    const x = f32([1, 1, length, 2 * pairs], wave);
    const cos = f32([1, length, pairs], (i) => Math.cos(i));
    const sin = f32([1, length, pairs], (i) => Math.sin(i));
    const inputs = { x, cos, sin };
    const { y } = await reference(model("RotaryEmbedding", inputs, {}, { opset: 23 }), inputs);
    const want = Array.from({ length: length * 2 * pairs }, (_, n) => {
      const [i, d] = [Math.floor(n / (2 * pairs)), n % (2 * pairs)];
      const angle = i * pairs + (d % pairs);
      const [a, b] = [0, 1].map((s) => numbers(x)[i * 2 * pairs + s * pairs + (d % pairs)]!) as [number, number];
      return d < pairs ? a * Math.cos(angle) - b * Math.sin(angle) : a * Math.sin(angle) + b * Math.cos(angle);
    });
    expectClose(y, [1, 1, length, 2 * pairs], want);
  });
});

describe("losses", () => {
  const [n, c, d] = [2, 3, 4];
  const x = f32([n, c, d], wave);
  const targets = [0, 2, 1, 1, 2, 0, 0, 2];
  const t = i64([n, d], ...targets);
  const weights = f32([c], (i) => i + 0.5);
  const logs = Array.from({ length: n * d }, (_, k) => {
    const [i, j] = [Math.floor(k / d), k % d];
    const row = Array.from({ length: c }, (__, a) => numbers(x)[(i * c + a) * d + j]!);
    const total = row.reduce((s, v) => s + Math.exp(v), 0);
    return row.map((v) => v - Math.log(total));
  });

  test("each, their sum and their weighted mean without the class that is ignored", async () => {
    const inputs = { x, t, weights };
    const each = logs.map((row, k) => -row[targets[k]!]! * (targets[k]! + 0.5));
    const none = await reference(model("SoftmaxCrossEntropyLoss", inputs, { reduction: "none" }), inputs);
    expectClose(none.y, [n, d], each);
    const sum = await reference(model("SoftmaxCrossEntropyLoss", inputs, { reduction: "sum" }), inputs);
    expectClose(sum.y, [], [each.reduce((a, b) => a + b, 0)]);
    const mean = await reference(model("SoftmaxCrossEntropyLoss", inputs, { ignore_index: 1 }), inputs);
    const kept = targets.flatMap((class_, k) => (class_ === 1 ? [] : [k]));
    const total = kept.reduce((a, k) => a + targets[k]! + 0.5, 0);
    expectClose(mean.y, [], [kept.reduce((a, k) => a + each[k]!, 0) / total]);
    const plain = await reference(model("NegativeLogLikelihoodLoss", { x, t }, { reduction: "mean" }), { x, t });
    const picked = targets.map((class_, k) => -numbers(x)[(Math.floor(k / d) * c + class_) * d + (k % d)]!);
    expectClose(plain.y, [], [picked.reduce((a, b) => a + b, 0) / picked.length]);
  });
});

describe("numbers that are computed, where the file states the shape of the result", () => {
  const x = f32([2, 3, 4], (i) => i);

  test.each<[string, TensorRecord, Record<string, TestAttribute>, number[], number[]]>([
    ["Reshape", { to: i64([2], 4, 6) }, {}, [4, 6], numbers(x)],
    ["Unsqueeze", { axes: i64([1], 1) }, {}, [2, 1, 3, 4], numbers(x)],
    ["ReduceSum", { axes: i64([1], 1) }, {}, [2, 1, 4], [12, 15, 18, 21, 48, 51, 54, 57]],
    ["ReduceMax", { axes: i64([2], 0, -1) }, { keepdims: 0 }, [3], [15, 19, 23]],
    [
      "Slice",
      { starts: i64([2], -1, 3), ends: i64([2], 9, -9), axes: i64([2], 0, 2), steps: i64([2], 1, -2) },
      {},
      [1, 3, 2],
      [15, 13, 19, 17, 23, 21],
    ],
    ["Tile", { repeats: i64([3], 2, 1, 1) }, {}, [4, 3, 4], [...numbers(x), ...numbers(x)]],
    ["CumSum", { axis: i64([], 1) }, { reverse: 1 }, [2, 3, 4], [12, 15, 18, 21, 12, 14, 16, 18, 8, 9, 10, 11, 48, 51, 54, 57, 36, 38, 40, 42, 20, 21, 22, 23]], // prettier-ignore
    ["Compress", { kept: bool([3], 1, 0, 1) }, { axis: 1 }, [2, 2, 4], [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23]], // prettier-ignore
  ])("%s", async (op, operands, attributes, shape, want) => {
    const inputs = { x, ...operands };
    const { y } = await host(model(op, inputs, attributes, { stated: { y: shape } }), inputs);
    expect(y!.shape).toEqual(shape);
    expect(numbers(y!)).toEqual(want);
  });

  test("of two sets of axes that give the shape, the values say which", async () => {
    const square = f32([2, 3, 3], (i) => i);
    const over = async (axis: number): Promise<number[]> => {
      const inputs = { x: square, axes: i64([1], axis) };
      const m = model("ReduceSum", inputs, { keepdims: 0 }, { stated: { y: [2, 3] } });
      return numbers((await host(m, inputs)).y!);
    };
    expect(await over(1)).toEqual([9, 12, 15, 36, 39, 42]);
    expect(await over(-1)).toEqual([3, 12, 21, 30, 39, 48]);
  });

  test.each([
    ["constant", [9, 9, 0, 1, 2, 9, 9, 9, 9, 3, 4, 5, 9, 9]],
    ["edge", [0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 5]],
    ["reflect", [2, 1, 0, 1, 2, 1, 0, 5, 4, 3, 4, 5, 4, 3]],
    ["wrap", [1, 2, 0, 1, 2, 0, 1, 4, 5, 3, 4, 5, 3, 4]],
  ])("Pad, %s", async (mode, want) => {
    const rows = f32([2, 3], (i) => i);
    const inputs = { x: rows, pads: i64([4], 0, 2, 0, 2), value: f32([], () => 9) };
    const { y } = await host(model("Pad", inputs, { mode }, { stated: { y: [2, 7] } }), inputs);
    expect(numbers(y!)).toEqual(want);
  });

  test("without a stated shape they are refused", () => {
    const m = model("ReduceSum", { x, axes: i64([1], 1) });
    expect(() => readOnnx(writeOnnx(m), "m", "m.onnx")).toThrowError(/ReduceSum with axes computed at run time/);
  });
});

describe("writing to places that are computed", () => {
  const x = f32([3, 2], (i) => i);
  const at = i64([3, 1], 2, 0, 2);
  const rows = f32([3, 2], (i) => 10 * (i + 1));
  test.each([
    ["none", [30, 40, 2, 3, 50, 60]],
    ["add", [30, 41, 2, 3, 4 + 10 + 50, 5 + 20 + 60]],
    ["mul", [0, 40, 2, 3, 4 * 10 * 50, 5 * 20 * 60]],
    ["max", [30, 40, 2, 3, 50, 60]],
    ["min", [0, 1, 2, 3, 4, 5]],
  ])("ScatterND, %s", async (reduction, want) => {
    const inputs = { x, at, rows };
    const { y } = await host(model("ScatterND", inputs, { reduction }), inputs);
    expect(numbers(y!)).toEqual(want);
  });

  test("ScatterElements along an axis, negative places from the end", async () => {
    const inputs = { x, at: i64([1, 2], -1, 0), u: f32([1, 2], (i) => 70 + i) };
    const { y } = await host(model("ScatterElements", inputs, { axis: 0 }), inputs);
    expect(numbers(y!)).toEqual([0, 71, 2, 3, 70, 5]);
  });
});

describe("sampling", () => {
  // Every value is its row times 10 plus its column, which linear sampling gives back in between.
  const image = f32([1, 1, 4, 5], (i) => 10 * Math.floor(i / 5) + (i % 5));
  const grid = f32([1, 1, 3, 2], (i) => [-1, -1, 0, 0, 0.5, 1][i]!);
  test("linear, corner to corner", async () => {
    const inputs = { image, grid };
    const { y } = await reference(model("GridSample", inputs, { mode: "linear", align_corners: 1 }), inputs);
    expectClose(y, [1, 1, 1, 3], [0, 17, 33]);
  });

  test("outside there are zeros, the border, or the mirror image", async () => {
    const far = { image, grid: f32([1, 1, 1, 2], (i) => [-2, 0][i]!) };
    const value = async (padding_mode: string): Promise<number> => {
      const m = model("GridSample", far, { mode: "linear", align_corners: 1, padding_mode });
      return numbers((await reference(m, far)).y!)[0]!;
    };
    expect([await value("zeros"), await value("border"), await value("reflection")]).toEqual([0, 15, 17]);
  });

  test("a grid of the identity is the middle of every pixel", async () => {
    const theta = f32([1, 2, 3], (i) => [1, 0, 0, 0, 1, 0][i]!);
    const inputs = { theta, size: i64([4], 1, 1, 2, 2) };
    const { y } = await reference(model("AffineGrid", inputs, {}, { stated: { y: [1, 2, 2, 2] } }), inputs);
    expectClose(y, [1, 2, 2, 2], [-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]);
  });
});

describe("running products", () => {
  test.each([
    [{}, [1, 2, 6, 24, 120]],
    [{ exclusive: 1 }, [1, 1, 2, 6, 24]],
    [{ reverse: 1, exclusive: 1 }, [120, 60, 20, 5, 1]],
  ])("%j", async (attributes, want) => {
    const inputs = { x: i32([5], 1, 2, 3, 4, 5), axis: i64([], 0) };
    expect(numbers((await host(model("CumProd", inputs, attributes), inputs)).y!)).toEqual(want);
  });
});

test("an input that is declared without elements is no port, and may be given all the same", async () => {
  const inputs = { x: f32([3], (i) => i), axes: i64([0]) };
  const m = model("ReduceSum", inputs, { keepdims: 0 });
  expect(readOnnx(writeOnnx(m), "m", "m.onnx").inputs.map((p) => p.name)).toEqual(["x"]);
  expect(numbers((await reference(m, inputs)).y!)).toEqual([3]);
});

describe("resizing by matrices", () => {
  const row = f32([1, 1, 1, 8], (i) => (i * i) % 7);
  const value = (j: number): number => numbers(row)[Math.min(Math.max(j, 0), 7)]!;

  test("antialiased: every result is the mean under a triangle as wide as two of its own", async () => {
    const inputs = { row, scales: f32([4], (i) => [1, 1, 1, 0.5][i]!) };
    const m = model("Resize", inputs, { mode: "linear", antialias: 1 }, { operands: ["row", "", "scales"] });
    const stated = { ...m, stated: { y: [1, 1, 1, 4] } };
    const want = Array.from({ length: 4 }, (_, i) => {
      const centre = 2 * (i + 0.5) - 0.5;
      let [sum, total] = [0, 0];
      for (let j = -4; j < 12; j++) {
        const weight = Math.max(0, 1 - Math.abs(j - centre) / 2);
        sum += weight * value(j);
        total += weight;
      }
      return sum / total;
    });
    // As run-time scales and as constants.
    expectClose((await reference(stated, inputs)).y, [1, 1, 1, 4], want);
    const { scales, ...rest } = inputs;
    const constant = {
      ...model("Resize", rest, { mode: "linear", antialias: 1 }, { operands: ["row", "", "scales"] }),
      constants: { scales: { shape: [4], data: scales.data as Float32Array } },
    };
    expectClose((await reference(constant, rest)).y, [1, 1, 1, 4], want);
  });

  test.each([
    ["half_pixel", (i: number) => (i + 0.5) * (8 / 5) - 0.5],
    ["asymmetric", (i: number) => i * (8 / 5)],
    ["align_corners", (i: number) => (i * 7) / 4],
  ])("linear to sizes that are computed, %s", async (mode, place) => {
    const inputs = { row, sizes: i64([4], 1, 1, 1, 5) };
    const attributes = { mode: "linear", coordinate_transformation_mode: mode };
    const m = model("Resize", inputs, attributes, { operands: ["row", "", "", "sizes"] });
    const { y } = await reference({ ...m, stated: { y: [1, 1, 1, 5] } }, inputs);
    const want = Array.from({ length: 5 }, (_, i) => {
      const x = Math.min(Math.max(place(i), 0), 7);
      const j = Math.floor(x);
      return value(j) * (1 - (x - j)) + value(j + 1) * (x - j);
    });
    expectClose(y, [1, 1, 1, 5], want);
  });

  test("a crop that reaches outside gives the stated value there", async () => {
    const inputs = { row, roi: f32([8], (i) => [0, 0, 0, 0.5, 1, 1, 1, 1.5][i]!), sizes: i64([4], 1, 1, 1, 3) };
    const attributes = {
      mode: "linear",
      coordinate_transformation_mode: "tf_crop_and_resize",
      extrapolation_value: { f: 10 },
    };
    const m = model("Resize", inputs, attributes, { operands: ["row", "roi", "", "sizes"] });
    const { y } = await reference({ ...m, stated: { y: [1, 1, 1, 3] } }, inputs);
    expectClose(y, [1, 1, 1, 3], [(value(3) + value(4)) / 2, value(7), 10]);
  });
});

test("a causal convolution begins with what is left of the last call, and hands on its own end", async () => {
  const inputs = {
    x: f32([1, 2, 3], (i) => i + 1),
    w: f32([2, 1, 2], (i) => [1, 10, 100, 1000][i]!),
    past: f32([1, 2, 1], (i) => [7, 8][i]!),
  };
  const m = model("CausalConvWithState", inputs, {}, { operands: ["x", "w", "", "past"], output: ["y", "next"] });
  const { y, next } = await host({ ...m, outputs: ["y", "next"] }, inputs);
  expect(numbers(y!)).toEqual([17, 21, 32, 4800, 5400, 6500]);
  expect(numbers(next!)).toEqual([3, 6]);
});

test("quantised products with scales that are computed", async () => {
  const u8 = (shape: number[], ...values: number[]): TensorValue => ({
    shape,
    dtype: "u8",
    data: Uint8Array.from(values),
  });
  const inputs = {
    a: u8([2, 2], 10, 12, 14, 20),
    as: f32([], () => 0.5),
    az: u8([], 10),
    b: u8([2, 1], 7, 1),
    bs: f32([], () => 2),
    bz: u8([], 5),
    ys: f32([], () => 4),
    yz: u8([], 100),
  };
  // (a - 10) / 2 * 2 (b - 5) / 4 + 100, half to even.
  const { y } = await host(model("QLinearMatMul", inputs), inputs);
  expect(numbers(y!)).toEqual([100 - 2, 100 + 2 - 10]);
});

test("numbers one after another, and windows of a stated length", async () => {
  const inputs = { start: i64([], 7), end: i64([], 0), step: i64([], -3) };
  expect(numbers((await host(model("Range", inputs, {}, { stated: { y: [3] } }), inputs)).y!)).toEqual([7, 4, 1]);
  const length = { size: i64([], 4) };
  expectClose(
    (await reference(model("HannWindow", length, {}, { stated: { y: [4] } }), length)).y,
    [4],
    [0, 0.5, 1, 0.5],
  );
});

describe("spectra", () => {
  test("cosines of parts of a circle are right to roundings of a double", () => {
    // Three roundings of the angle that the engine is given, at most 4 pi, and one of each result.
    const allowed = (3 * 4 * Math.PI + 2) * 2 ** -53;
    for (const period of [1, 2, 3, 7, 8, 10, 64, 1000]) {
      for (let n = -period; n <= 2 * period; n++) {
        expect(Math.abs(cosineOf(n, period) - Math.cos((2 * Math.PI * n) / period))).toBeLessThan(allowed);
      }
    }
  });

  /** Real and imaginary parts of bin k of a signal of real numbers. */
  const bin = (signal: readonly number[], k: number): [number, number] => {
    const angle = (n: number): number => (2 * Math.PI * k * n) / signal.length;
    return [
      signal.reduce((sum, v, n) => sum + v * Math.cos(angle(n)), 0),
      -signal.reduce((sum, v, n) => sum + v * Math.sin(angle(n)), 0),
    ];
  };

  test("there and back, along an axis that is computed", async () => {
    const x = f32([1, 5, 3, 1], wave);
    const inputs = { x, axis: i64([], 1) };
    const m = model("DFT", inputs, {}, { operands: ["x", "", "axis"], stated: { y: [1, 5, 3, 2] } });
    const { y } = await reference(m, inputs);
    const column = (c: number): number[] => Array.from({ length: 5 }, (_, i) => wave(3 * i + c));
    const want = Array.from({ length: 15 }, (_, i) => bin(column(i % 3), Math.floor(i / 3))).flat();
    // A sum of 5 terms of size 1 with cosines of f32.
    expectClose(y, [1, 5, 3, 2], want);
    const back = model("DFT", { y: y! }, { inverse: 1 }, { operands: ["y", "", ""], output: "z", opset: 19 });
    const again = await reference({ ...back, nodes: [{ ...back.nodes[0]!, inputs: ["y"] }] }, { y: y! });
    expectClose(
      again.z,
      [1, 5, 3, 2],
      numbers(x).flatMap((v) => [v, 0]),
    );
  });

  test("of frames with a step that is computed", async () => {
    const signal = f32([1, 12, 1], wave);
    const inputs = { signal, step: i64([], 4), window: f32([4], (i) => i + 1) };
    const m = model("STFT", inputs, {}, { stated: { y: [1, 3, 3, 2] } });
    const { y } = await reference(m, inputs);
    const frame = (f: number): number[] => Array.from({ length: 4 }, (_, i) => (i + 1) * wave(4 * f + i));
    const want = [0, 1, 2].flatMap((f) => [0, 1, 2].flatMap((k) => bin(frame(f), k)));
    numbers(y!).forEach((v, i) => expect(Math.abs(v - want[i]!)).toBeLessThan(16 * U * 10));
  });
});

test("scales for blocks of an axis", async () => {
  const q: TensorValue = { shape: [1, 4], dtype: "u8", data: Uint8Array.of(1, 2, 3, 4) };
  const inputs = { q, scale: f32([1, 2], (i) => [0.5, 10][i]!) };
  const { y } = await host(model("DequantizeLinear", inputs, { axis: 1, block_size: 2 }, { opset: 21 }), inputs);
  expect(numbers(y!)).toEqual([0.5, 1, 30, 40]);
});
