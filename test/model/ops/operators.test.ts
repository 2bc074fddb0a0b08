import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NdArray } from "../../../src/model/define-op.js";
import { IdapError } from "../../../src/model/errors.js";
import { getOp, opNames } from "../../../src/model/ops/index.js";
import { windowExtent } from "../../../src/model/ops/shared/window.js";
import { shapeAt, sizeOf, stridesOf, type TensorType } from "../../../src/model/types.js";
import { DEPENDENT_OPS, drawValues, opCases, w, x, type OpCase } from "../../support/op-cases.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

function operands(c: OpCase, batch: number, seed = 1): NdArray[] {
  return c.inputs.map((type, i) => ({
    data: drawValues(type, c.draw?.[i] ?? "normal", batch, seed + i),
    shape: shapeAt(type, batch),
    dtype: type.dtype,
  }));
}

function evaluate(c: OpCase, inputs: readonly NdArray[], batch: number): { types: TensorType[]; values: NdArray[] } {
  const op = getOp(c.op);
  const attrs = op.attrs.parse(c.attrs);
  const types = op.infer(c.inputs, attrs);
  return {
    types,
    values: op.reference(
      inputs,
      attrs,
      types.map((t) => shapeAt(t, batch)),
    ),
  };
}

/** Sample s of a stacked array: the run of `type.shape[axis]` indices from s on. */
function sampleOf(array: NdArray, type: TensorType, s: number): NdArray {
  if (type.batchAxis === null) return array;
  const run = stridesOf(type.shape)[type.batchAxis]! * type.shape[type.batchAxis]!;
  const outer = sizeOf(type.shape) / run;
  const batch = array.data.length / sizeOf(type.shape);
  const data = new Float64Array(sizeOf(type.shape));
  for (let o = 0; o < outer; o++) {
    const from = (o * batch + s) * run;
    data.set(array.data.subarray(from, from + run), o * run);
  }
  return { data, shape: type.shape, dtype: type.dtype };
}

describe("registry", () => {
  test("every file of the folder is the operator of its name", () => {
    const files = readdirSync(`${root}src/model/ops`).filter((f) => f.endsWith(".ts") && f !== "index.ts");
    expect(files.map((f) => f.replace(".ts", "")).sort()).toEqual([...opNames]);
  });

  test("the committed index is what the generator writes", () => {
    expect(() => execFileSync(process.execPath, [`${root}scripts/generate-indexes.mjs`, "--check"])).not.toThrow();
  });

  test("every operator has a case", () => {
    const covered = new Set([...opCases.map((c) => c.op), ...DEPENDENT_OPS]);
    expect(opNames.filter((name) => !covered.has(name))).toEqual([]);
  });

  test("an unknown operator is named", () => {
    expect(() => getOp("conv3d")).toThrowError(
      expect.objectContaining({ code: "E_OP", message: expect.stringContaining("conv3d") }),
    );
  });
});

describe.each(opCases)("$op, $title", (c) => {
  test("inferred shapes are what the reference fills, with finite numbers", () => {
    for (const batch of [1, 3]) {
      const { types, values } = evaluate(c, operands(c, batch), batch);
      expect(values.length).toBe(types.length);
      expect(types.length).toBe(getOp(c.op).outputs.length);
      values.forEach((v, i) => {
        expect(v.shape).toEqual(shapeAt(types[i]!, batch));
        expect(v.data.length).toBe(sizeOf(v.shape));
        expect(v.data.every(Number.isFinite)).toBe(true);
      });
    }
  });

  test("cost and tolerance are stated", () => {
    const op = getOp(c.op);
    const types = op.infer(c.inputs, c.attrs);
    const cost = op.cost(c.inputs, types, c.attrs);
    expect(cost.bytes).toBeGreaterThan(0);
    expect(Number.isInteger(cost.macs)).toBe(true);
    const tolerance = op.tolerance(c.inputs, c.attrs);
    if (tolerance.kind === "roundings") expect(Number.isInteger(tolerance.count) && tolerance.count >= 0).toBe(true);
  });
});

describe.each(opCases.filter((c) => !c.mixesSamples))("$op, $title", (c) => {
  test("a batch is its samples, one by one; without a batch axis, their sum", () => {
    const batch = 3;
    const inputs = operands(c, batch);
    const { types, values } = evaluate(c, inputs, batch);
    const singles = [0, 1, 2].map(
      (s) =>
        evaluate(
          c,
          inputs.map((v, i) => sampleOf(v, c.inputs[i]!, s)),
          1,
        ).values,
    );
    const batched = c.inputs.some((t) => t.batchAxis !== null);
    types.forEach((type, k) => {
      if (type.batchAxis !== null || !batched) {
        for (let s = 0; s < batch; s++) expect(sampleOf(values[k]!, type, s).data).toEqual(singles[s]![k]!.data);
        return;
      }
      values[k]!.data.forEach((total, i) => {
        const sum = singles.reduce((acc, single) => acc + single[k]!.data[i]!, 0);
        expect(Math.abs(total - sum)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(sum)));
      });
    });
  });
});

/** One f32 evaluation of a sum of products in the order of the formula: what the simplest kernel does. */
function denseF32(xs: Float64Array, ws: Float64Array, bs: Float64Array, n: number): Float64Array {
  const k = xs.length;
  return Float64Array.from({ length: n }, (_, j) => {
    let sum = bs[j]!;
    for (let i = 0; i < k; i++) sum = Math.fround(sum + Math.fround(xs[i]! * ws[i * n + j]!));
    return sum;
  });
}

describe("tolerance", () => {
  test("a naive f32 evaluation of dense stays within its bound", () => {
    const k = 257;
    const n = 5;
    const types = [x(k), w(k, n), w(n)];
    const op = getOp("dense");
    const bound = op.tolerance(types, {});
    expect(bound.kind).toBe("roundings");
    const gamma = (bound.kind === "roundings" ? bound.count : 0) * 2 ** -24;
    for (let seed = 0; seed < 20; seed++) {
      const [xs, ws, bs] = types.map((t, i) => ({ data: drawValues(t, "normal", 1, 10 * seed + i), shape: t.shape }));
      const exact = op.reference([xs!, ws!, bs!], {}, [[1, n]])[0]!.data;
      const size = op.reference(
        [xs!, ws!, bs!].map((v) => ({ ...v, data: v.data.map(Math.abs) })),
        {},
        [[1, n]],
      )[0]!.data;
      const got = denseF32(xs!.data, ws!.data, bs!.data, n);
      got.forEach((v, j) => expect(Math.abs(v - exact[j]!)).toBeLessThanOrEqual(gamma * size[j]!));
    }
  });
});

describe("window extent", () => {
  test("is the number of positions at which the window fits", () => {
    const small = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(
        small(20),
        small(5),
        small(4),
        small(3),
        fc.integer({ min: 0, max: 4 }),
        (size, k, stride, dilation, padding) => {
          let fits = 0;
          for (let at = 0; at + dilation * (k - 1) < size + padding; at += stride) fits++;
          if (fits === 0) expect(() => windowExtent(size, k, stride, dilation, padding)).toThrow(IdapError);
          else expect(windowExtent(size, k, stride, dilation, padding)).toBe(fits);
        },
      ),
    );
  });
});

describe("shapes worked by hand", () => {
  test.each([
    [
      "mobilenet stem",
      "conv2d",
      [x(224, 224, 3), w(3, 3, 3, 32)],
      { strides: [2, 2], dilations: [1, 1], pads: [0, 0, 1, 1], groups: 1 },
      [1, 112, 112, 32],
    ],
    [
      "one pixel",
      "conv2d",
      [x(1, 1, 8), w(1, 1, 8, 16)],
      { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 },
      [1, 1, 1, 16],
    ],
    [
      "depthwise, multiplier 2",
      "depthwise_conv2d",
      [x(49, 10, 4), w(10, 4, 4, 2)],
      { strides: [2, 2], dilations: [1, 1], pads: [4, 1, 5, 1] },
      [1, 25, 5, 8],
    ],
    ["flatten", "reshape", [x(7, 7, 64)], { shape: [-1, 3136] }, [1, 3136]],
    ["global mean", "reduce_mean", [x(8, 8, 64)], { axes: [1, 2], keepDims: false }, [1, 64]],
    ["broadcast", "add", [x(3, 1), w(4)], {}, [1, 3, 4]],
  ] as const)("%s", (_title, op, types, attrs, expected) => {
    expect(getOp(op).infer(types, attrs)[0]!.shape).toEqual(expected);
  });

  test.each([
    [
      "conv2d with a half-cut input",
      "conv2d",
      [x(8, 8, 24), w(1, 1, 32, 16)],
      { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 },
      "E_CHANNELS",
    ],
    [
      "window larger than the image",
      "max_pool2d",
      [x(2, 2, 1)],
      { kernel: [3, 3], strides: [1, 1], pads: [0, 0, 0, 0] },
      "E_WINDOW",
    ],
    ["extents that do not broadcast", "add", [x(3), w(4)], {}, "E_BROADCAST"],
    ["reshape that fixes the batch", "reshape", [x(4)], { shape: [1, 4] }, "E_BATCH"],
    [
      "reshape that mixes samples",
      "reshape",
      [{ dtype: "f32", shape: [6, 1], batchAxis: 1 }],
      { shape: [-1, 6] },
      "E_BATCH",
    ],
    ["softmax over the batch", "softmax", [x(4)], { axis: 0 }, "E_BATCH"],
    ["norm of a batch of channels", "batch_norm", [x(), w(1), w(1), w(1), w(1)], { epsilon: 0 }, "E_BATCH"],
    ["concat along the batch", "concat", [x(4), x(4)], { axis: 0 }, "E_BATCH"],
    ["slice of the batch", "slice", [x(4)], { begin: [0, 0], size: [1, 2] }, "E_BATCH"],
    ["integers in arithmetic", "relu", [{ dtype: "i32", shape: [4], batchAxis: null }], {}, "E_DTYPE"],
    ["no permutation", "transpose", [x(4)], { perm: [0, 0] }, "E_AXIS"],
  ] as const)("%s is refused", (_title, op, types, attrs, code) => {
    expect(() => getOp(op).infer(types as unknown as TensorType[], attrs)).toThrowError(
      expect.objectContaining({ code }),
    );
  });
});
