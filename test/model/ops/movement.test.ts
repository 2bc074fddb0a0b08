import { describe, expect, test } from "vitest";
import { createExecutor } from "../../../src/host/executor.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import { toDoubles } from "../../../src/model/doubles.js";
import { getOp } from "../../../src/model/ops/index.js";
import { Random } from "../../../src/model/random.js";
import { shapeAt, sizeOf, type Attrs, type TensorRecord, type TensorType } from "../../../src/model/types.js";

const image: TensorType = { dtype: "f32", shape: [1, 4, 5, 3], batchAxis: 0 };
const BATCH = 2;
const random = new Random(17);

function drawn(type: TensorType): TensorRecord[string] {
  const shape = shapeAt(type, type.batchAxis === null ? 1 : BATCH);
  return { data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()), shape, dtype: "f32" };
}

type Emit = (op: string, inputs: string[], attrs?: Attrs) => string[];

/** Two ways to the same values, on the reference and on the host: equal to the last bit. */
async function expectSame(
  ways: (emit: Emit, x: string, constant: (values: number[]) => string) => [string, string],
  type: TensorType = image,
): Promise<void> {
  const builder = new GraphBuilder("same");
  const x = builder.input("x", type);
  const [a, b] = ways(
    (op, inputs, attrs) => builder.node(op, inputs, attrs),
    x,
    (values) => builder.constant("c", "i32", [values.length], Int32Array.from(values)),
  );
  builder.output(a, "a");
  builder.output(b, "b");
  const graph = builder.build();
  const inputs = { x: drawn(type) };
  for (const id of ["reference", "wasm"] as const) {
    const executor = createExecutor(id, graph);
    const got = await executor.run(inputs);
    await executor.close();
    expect(got.a!.shape).toEqual(got.b!.shape);
    expect(toDoubles(got.a!.data)).toEqual(toDoubles(got.b!.data));
  }
}

describe("operators that move values", () => {
  test.each([1, 2, 3])("tile along axis %i is a concatenation of copies", async (axis) => {
    await expectSame((emit, x) => [
      emit("tile", [x], { repeats: image.shape.map((_, k) => (k === axis ? 3 : 1)) })[0]!,
      emit("concat", [x, x, x], { axis })[0]!,
    ]);
  });

  test.each([1, 2, 3])("a gather of all indices of axis %i in order is nothing", async (axis) => {
    const extent = image.shape[axis]!;
    await expectSame((emit, x, constant) => [
      emit("gather", [x, constant(Array.from({ length: extent }, (_, i) => i))], { axis })[0]!,
      x,
    ]);
  });

  test("indices from the end are those from the start, beyond the ends the ends", async () => {
    await expectSame((emit, x, constant) => [
      emit("gather", [x, constant([-1, -5, 4, 9, -99])], { axis: 2 })[0]!,
      emit("gather", [x, constant([4, 0, 4, 4, 0])], { axis: 2 })[0]!,
    ]);
  });

  test("a slice in steps is a gather of its indices", async () => {
    await expectSame((emit, x, constant) => [
      emit("slice", [x], { begin: [0, 0, 4, 0], size: [-1, -1, -1, -1], steps: [1, 1, -2, 1] })[0]!,
      emit("gather", [x, constant([4, 2, 0])], { axis: 2 })[0]!,
    ]);
  });

  test("backwards twice is nothing", async () => {
    const attrs = { begin: [0, 3, 4, 2], size: [-1, -1, -1, -1], steps: [1, -1, -1, -1] };
    await expectSame((emit, x) => [emit("slice", emit("slice", [x], attrs), attrs)[0]!, x]);
  });

  test("broadcasting an axis of one is a tile", async () => {
    const type: TensorType = { dtype: "f32", shape: [1, 4, 1, 3], batchAxis: 0 };
    await expectSame((emit, x) => {
      const wide = emit("broadcast_to", [x], { shape: [-1, 4, 5, 3] })[0]!;
      const tiled = emit("tile", [x], { repeats: [1, 1, 5, 1] })[0]!;
      return [wide, tiled];
    }, type);
  });

  test.each([
    ["reflect", [2, 1, 0, 1, 2, 3, 2, 1, 0]],
    ["symmetric", [1, 0, 0, 1, 2, 3, 3, 2, 1]],
    ["edge", [0, 0, 0, 1, 2, 3, 3, 3, 3]],
    ["wrap", [2, 3, 0, 1, 2, 3, 0, 1, 2]],
  ] as const)("%s padding repeats these rows", async (mode, rows) => {
    await expectSame((emit, x, constant) => [
      emit("pad", [x], { before: [0, 2, 0, 0], after: [0, 3, 0, 0], value: 0, mode })[0]!,
      emit("gather", [x, constant([...rows])], { axis: 1 })[0]!,
    ]);
  });
});

describe("operators that order and fold", () => {
  test.each([
    [true, "max"],
    [false, "min"],
  ] as const)("the first of top_k, largest %s, is the %simum and its index", async (largest, kind) => {
    await expectSame((emit, x) => {
      const [values] = emit("top_k", [x], { axis: 2, k: 1, largest });
      return [values!, emit(`reduce_${kind}`, [x], { axes: [2], keepDims: true })[0]!];
    });
    await expectSame((emit, x) => {
      const [, indices] = emit("top_k", [x], { axis: 2, k: 1, largest });
      return [indices!, emit("arg_reduce", [x], { axis: 2, keepDims: true, kind })[0]!];
    });
  });

  test("top_k of all is sorted, and its indices pick its values", async () => {
    const type: TensorType = { dtype: "f32", shape: [11], batchAxis: null };
    await expectSame((emit, x) => {
      const [values, indices] = emit("top_k", [x], { axis: 0, k: 11 });
      return [values!, emit("gather", [x, indices!], { axis: 0 })[0]!];
    }, type);
    const values = getOp("top_k").reference(
      [{ data: Float64Array.of(2, 7, 7, -1), shape: [4] }],
      { axis: 0, k: 4, largest: true },
      [[4], [4]],
    );
    expect(values.map(({ data }) => [...data])).toEqual([
      [7, 7, 2, -1],
      [1, 2, 0, 3],
    ]);
  });

  test("the last of the running sums, from the end the first, is the sum", async () => {
    await expectSame((emit, x) => {
      const end = emit("cumsum", [x], { axis: 1 })[0]!;
      return [
        emit("slice", [end], { begin: [0, 3, 0, 0], size: [-1, 1, -1, -1] })[0]!,
        emit("reduce_sum", [x], { axes: [1], keepDims: true })[0]!,
      ];
    });
  });

  test("the minimum is the negative maximum of the negatives", async () => {
    await expectSame((emit, x) => [
      emit("reduce_min", [x], { axes: [1, 3], keepDims: false })[0]!,
      emit("neg", emit("reduce_max", emit("neg", [x]), { axes: [1, 3], keepDims: false }))[0]!,
    ]);
  });
});

describe("resize", () => {
  const base = { coordinates: "half_pixel", rounding: "round_prefer_floor", scales: null } as const;

  test.each(["nearest", "linear", "cubic"])("to the same size is nothing, %s", async (mode) => {
    for (const coordinates of ["half_pixel", "align_corners", "asymmetric"]) {
      await expectSame((emit, x) => [emit("resize", [x], { ...base, sizes: [4, 5], mode, coordinates })[0]!, x]);
    }
  });

  test("nearest by a whole factor is a tile of every pixel", async () => {
    await expectSame((emit, x) => {
      const pixels = emit("reshape", [x], { shape: [-1, 4, 1, 5, 1, 3] });
      return [
        emit("resize", [x], { ...base, sizes: [8, 15], mode: "nearest", scales: [2, 3] })[0]!,
        emit("reshape", emit("tile", pixels, { repeats: [1, 1, 2, 1, 3, 1] }), { shape: [-1, 8, 15, 3] })[0]!,
      ];
    });
  });

  /** One row or column of pixels, resized as its other axis stays. */
  function row(values: readonly number[], count: number, attrs: Attrs): number[] {
    const whole = getOp("resize").attrs.parse({ ...base, sizes: [1, count], ...attrs }) as never;
    const x = { data: Float64Array.from(values), shape: [1, 1, values.length, 1] };
    return [...getOp("resize").reference([x], whole, [[1, 1, count, 1]])[0]!.data];
  }

  // Worked from the definitions of the ONNX operator.
  test.each([
    ["half_pixel", [1, 2, 1], 2, [1, 1.25, 1.75, 1.75, 1.25, 1]],
    ["asymmetric", [1, 2], 2, [1, 1.5, 2, 2]],
    ["align_corners", [1, 4], 2, [1, 2, 3, 4]],
    ["align_corners", [1, 2, 3, 4], 0.6, [1, 1 + 3 / 1.4]], // the last pixel of an output of 2.4, which has two
    ["half_pixel", [1, 2, 3, 4], 0.6, [1 + 1 / 3, 3]],
    ["half_pixel_symmetric", [1, 2, 3, 4], 0.6, [1 + 2 / 3, 3 + 1 / 3]],
    ["pytorch_half_pixel", [1, 2, 3, 4], 0.25, [1]],
  ] as const)("linear, %s: %j by %f", (coordinates, values, scale, expected) => {
    const got = row(values, expected.length, { mode: "linear", coordinates, scales: [1, scale] });
    got.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 6));
  });

  test.each([
    ["ceil", "half_pixel", [1, 2, 2, 3, 3, 4, 4, 4]],
    ["floor", "align_corners", [1, 1, 1, 2, 2, 3, 3, 4]],
    ["round_prefer_ceil", "asymmetric", [1, 2, 2, 3, 3, 4, 4, 4]],
    ["round_prefer_floor", "asymmetric", [1, 1, 2, 2, 3, 3, 4, 4]],
    ["floor", "tf_half_pixel_for_nn", [1, 1, 2, 2, 3, 3, 4, 4]],
  ] as const)("nearest, %s, %s", (rounding, coordinates, expected) => {
    expect(row([1, 2, 3, 4], 8, { mode: "nearest", coordinates, rounding, scales: [1, 2] })).toEqual(expected);
  });

  test("positions are rounded to f32 as the runtimes do", () => {
    const values = Array.from({ length: 14 }, (_, i) => i);
    const attrs = { mode: "nearest", coordinates: "asymmetric", rounding: "floor" };
    // The scale 0.3 is a little more in f32, so that 3 / 0.3 is below 10; its nearest f32 is 10.
    expect(Math.floor(3 / Math.fround(0.3))).toBe(9);
    expect(row(values, 4, { ...attrs, scales: [1, 0.3] })[3]).toBe(10);
  });

  test("cubic, half way between pixels: -a/8 of the outer two, 1/2 + a/8 taken from the inner", () => {
    // With a = -0.75: weights -3/32, 19/32, 19/32, -3/32.
    const attrs = { mode: "cubic", coordinates: "align_corners", scales: [1, 7 / 4] };
    const got = row([1, 10, 100, 1000], 7, attrs);
    expect(got[3]).toBeCloseTo((-3 * 1 + 19 * 10 + 19 * 100 - 3 * 1000) / 32, 4);
    // Beyond the edge the edge is repeated, or has no weight.
    expect(got[1]).toBeCloseTo((-3 * 1 + 19 * 1 + 19 * 10 - 3 * 100) / 32, 4);
    const inside = row([1, 10, 100, 1000], 7, { ...attrs, excludeOutside: true });
    expect(inside[1]).toBeCloseTo((19 * 1 + 19 * 10 - 3 * 100) / 35, 4);
  });
});
