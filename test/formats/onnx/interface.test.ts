import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readModel } from "../../../src/formats/index.js";
import { TensorProto_DataType as T } from "../../../src/formats/onnx/generated/onnx_pb.js";
import { readOnnx, type OnnxOptions } from "../../../src/formats/onnx/read.js";
import { ReferenceExecutor } from "../../../src/host/reference.js";
import type { Graph, TensorData, TensorRecord, TensorValue } from "../../../src/model/types.js";
import { writeOnnx, type TestConstant, type TestOnnx } from "../onnx-writer.js";
import { opCounts } from "../support.js";

const read = (model: TestOnnx, options: OnnxOptions = {}): Graph => readOnnx(writeOnnx(model), "m", "m.onnx", options);
const run = async (graph: Graph, inputs: TensorRecord): Promise<TensorRecord> =>
  new ReferenceExecutor(graph).run(inputs);
const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const floats = (shape: number[], ...values: number[]): TestConstant => ({ shape, data: Float32Array.from(values) });
const ints = (...values: number[]): TestConstant => ({
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const f32 = (shape: number[], ...values: number[]): TensorValue => ({
  data: Float32Array.from(values),
  shape,
  dtype: "f32",
});
const numbers = (data: TensorData): number[] => Array.from(data as ArrayLike<number | bigint>, Number);
/** 0, 1, 2, ... */
const counting = (...shape: number[]): TensorValue => {
  const size = shape.reduce((a, b) => a * b, 1);
  return f32(shape, ...Array.from({ length: size }, (_, i) => i));
};

describe("ports have the file's element types", () => {
  test.each([
    [T.INT64, "i64", BigInt64Array.of(-3n, 5n)],
    [T.INT32, "i32", Int32Array.of(-3, 5)],
    [T.INT8, "i8", Int8Array.of(-3, 5)],
    [T.UINT8, "u8", Uint8Array.of(253, 5)],
  ] as const)("type %s", async (type, dtype, data) => {
    const graph = read({
      inputs: { x: ["n", 2] },
      types: { x: type },
      nodes: [{ op: "Add", inputs: ["x", "x"], output: "y" }],
    });
    expect(graph.tensors.get("x")!.type.dtype).toBe(dtype);
    const { y } = await run(graph, { x: { data, shape: [1, 2], dtype } });
    // The result wraps around as the narrow type does: 253 + 253 is 506 - 256.
    const wanted = numbers(data).map((v) => v * 2);
    expect(y).toMatchObject({ dtype, shape: [1, 2] });
    expect(numbers(y!.data)).toEqual(dtype === "u8" ? [250, 10] : wanted);
  });

  test("half floats and doubles are f32, constants too", async () => {
    const graph = read({
      inputs: { x: ["n", 2] },
      types: { x: T.FLOAT16 },
      constants: {
        // 1 and -2 as binary16 and as bfloat16, 0.5 and 4 as doubles.
        h: { shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
        b: { shape: [2], data: Uint16Array.of(0x3f80, 0xc000), type: T.BFLOAT16 },
        d: { shape: [2], data: Float64Array.of(0.5, 4) },
      },
      nodes: [
        { op: "Add", inputs: ["x", "h"], output: "a" },
        { op: "Mul", inputs: ["a", "b"], output: "c" },
        { op: "Div", inputs: ["c", "d"], output: "y" },
      ],
    });
    const { y } = await run(graph, { x: f32([1, 2], 3, 8) });
    expect(numbers(y!.data)).toEqual([8, -3]);
  });

  test("types without a counterpart are refused by name", () => {
    const model: TestOnnx = {
      inputs: { x: ["n", 2] },
      types: { x: T.UINT32 },
      nodes: [{ op: "Add", inputs: ["x", "x"], output: "y" }],
    };
    expect(() => read(model)).toThrowError(refused("E_DTYPE", /input "x" has type UINT32/));
  });
});

describe("open extents", () => {
  const model: TestOnnx = {
    inputs: { x: ["n", 3, "height", "width"] },
    constants: { k: floats([1, 3, 1, 1], 1, 2, 3) },
    nodes: [{ op: "Conv", inputs: ["x", "k"], output: "y" }],
  };
  test("are asked for all at once, with the option that gives them", () => {
    expect(() => read(model)).toThrowError(
      expect.objectContaining({
        code: "E_SHAPE",
        message: 'm.onnx needs sizes: input "x" [n, 3, height, width] leaves height, width open',
        hint: expect.stringContaining("--shape x=…,3,…,…"),
      }),
    );
  });
  test("may be stated", () => {
    const graph = read(model, { shapes: { x: [1, 3, 4, 6] } });
    expect(graph.tensors.get("x")!.type).toEqual({ dtype: "f32", shape: [1, 3, 4, 6], batchAxis: 0 });
  });
  test.each<[string, Record<string, number[]>, RegExp]>([
    ["an input that does not exist", { z: [1] }, /has no input "z" to give a shape; it has x/],
    [
      "a shape that does not fit",
      { x: [1, 4, 4, 4] },
      /"x" is \[n, 3, height, width\], to which \[1, 4, 4, 4\] does not/,
    ],
  ])("%s is an error", (_name, shapes, message) => {
    expect(() => read(model, { shapes })).toThrowError(refused("E_SHAPE", message));
  });
});

describe("constants in other files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "idap-external-"));
    await writeFile(path.join(folder, "w.bin"), new Uint8Array(Float32Array.of(0, 0, 10, 20).buffer));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  const readWith = async (external: Record<string, string>): Promise<Graph> => {
    const model: TestOnnx = {
      inputs: { x: ["n", 2] },
      constants: { w: { shape: [2], data: new Float32Array(0), external } },
      nodes: [{ op: "Add", inputs: ["x", "w"], output: "y" }],
    };
    const file = path.join(folder, "m.onnx");
    await writeFile(file, writeOnnx(model));
    return readModel(file);
  };

  test("are read from the place that the file states", async () => {
    const graph = await readWith({ location: "w.bin", offset: "8", length: "8" });
    const { y } = await run(graph, { x: f32([1, 2], 1, 2) });
    expect(numbers(y!.data)).toEqual([11, 22]);
  });

  test.each<[string, Record<string, string>, string, RegExp]>([
    ["a missing file", { location: "gone.bin" }, "E_FILE", /needs the weights gone\.bin beside it/],
    [
      "a short file",
      { location: "w.bin", offset: "12" },
      "E_FORMAT",
      /"w" needs 8 bytes at 12 of w\.bin, which has only 16/,
    ],
    ["a file outside", { location: "../w.bin" }, "E_FORMAT", /refers to weights outside its folder/],
    ["a wrong length", { location: "w.bin", length: "4" }, "E_FORMAT", /needs 8 bytes of w\.bin/],
    ["no place", { offset: "0" }, "E_FORMAT", /does not say in which/],
  ])("%s is one clear error", async (_name, external, code, message) => {
    await expect(readWith(external)).rejects.toThrowError(refused(code, message));
  });
});

describe("arithmetic on shapes", () => {
  const i = (v: number): TestConstant => ({ shape: [], data: BigInt64Array.of(BigInt(v)) });
  /** The number of samples as a list of one. */
  const samples = [
    { op: "Shape", inputs: ["x"], output: "s" },
    { op: "Gather", inputs: ["s", "first"], output: "n" },
    { op: "Unsqueeze", inputs: ["n", "zero"], output: "list" },
  ];
  const shared = { first: i(0), zero: ints(0) };

  test("a reshape to [samples * rows, rest] keeps the batch", async () => {
    const graph = read({
      inputs: { x: ["n", 2, 3] },
      constants: { ...shared, two: ints(2), rest: ints(-1) },
      nodes: [
        ...samples,
        { op: "Mul", inputs: ["list", "two"], output: "rows" },
        { op: "Concat", inputs: ["rows", "rest"], output: "t", attributes: { axis: 0 } },
        { op: "Reshape", inputs: ["x", "t"], output: "y" },
      ],
    });
    expect(opCounts(graph)).toEqual({ reshape: 1 });
    const { y } = await run(graph, { x: counting(4, 2, 3) });
    expect(y!.shape).toEqual([8, 3]);
  });

  test("a constant repeated for every sample follows the batch, through Expand, Tile and ConstantOfShape", async () => {
    const graph = read({
      inputs: { x: ["n", 2, 3] },
      constants: { ...shared, token: floats([1, 1, 3], 7, 8, 9), ones: ints(1), three: ints(3), minus: ints(-1) },
      outputs: ["y"],
      nodes: [
        ...samples,
        { op: "Concat", inputs: ["list", "minus", "minus"], output: "wide", attributes: { axis: 0 } },
        { op: "ConstantOfShape", inputs: ["three"], output: "o", attributes: { value: ints(1) } },
        { op: "Equal", inputs: ["wide", "minus"], output: "open" },
        { op: "Where", inputs: ["open", "o", "wide"], output: "target" },
        { op: "Expand", inputs: ["token", "target"], output: "e" },
        { op: "Concat", inputs: ["list", "ones", "ones"], output: "repeats", attributes: { axis: 0 } },
        { op: "Tile", inputs: ["token", "repeats"], output: "t" },
        { op: "Concat", inputs: ["list", "ones", "three"], output: "zs", attributes: { axis: 0 } },
        { op: "ConstantOfShape", inputs: ["zs"], output: "z" },
        { op: "Concat", inputs: ["e", "t", "z", "x"], output: "y", attributes: { axis: 1 } },
      ],
    });
    const x = counting(3, 2, 3);
    const { y } = await run(graph, { x });
    expect(y!.shape).toEqual([3, 5, 3]);
    const rows = [7, 8, 9, 7, 8, 9, 0, 0, 0];
    const wanted = [0, 1, 2].flatMap((n) => [...rows, ...numbers(x.data).slice(6 * n, 6 * n + 6)]);
    expect(numbers(y!.data)).toEqual(wanted);
  });
});

describe("what is taken apart at read", () => {
  test("a branch with a known condition, and functions of the file", async () => {
    const graph = read({
      inputs: { x: ["n", 2] },
      constants: { yes: { shape: [], data: Uint8Array.of(1), type: T.BOOL }, c: floats([2], 1, 2) },
      functions: [
        {
          name: "Twice",
          domain: "own",
          inputs: ["a"],
          outputs: ["b"],
          nodes: [
            { op: "Add", inputs: ["a", "a"], output: "inner" },
            { op: "Identity", inputs: ["inner"], output: "b" },
          ],
        },
      ],
      nodes: [
        {
          op: "If",
          inputs: ["yes"],
          output: "z",
          attributes: {
            then_branch: { graph: { nodes: [{ op: "Mul", inputs: ["x", "c"], output: "m" }], outputs: ["m"] } },
            else_branch: { graph: { nodes: [{ op: "Warp", inputs: ["x"], output: "q" }], outputs: ["q"] } },
          },
        },
        { op: "Twice", domain: "own", inputs: ["z"], output: "t" },
        { op: "Twice", domain: "own", inputs: ["t"], output: "y" },
      ],
    });
    const { y } = await run(graph, { x: f32([1, 2], 3, 5) });
    expect(numbers(y!.data)).toEqual([12, 40]);
  });

  test("a branch with a computed condition is refused", () => {
    const branch = { graph: { nodes: [{ op: "Relu", inputs: ["x"], output: "r" }], outputs: ["r"] } };
    const model: TestOnnx = {
      inputs: { x: [1, 2], c: [1] },
      types: { c: T.BOOL },
      nodes: [{ op: "If", inputs: ["c"], output: "y", attributes: { then_branch: branch, else_branch: branch } }],
    };
    expect(() => read(model)).toThrowError(refused("E_UNSUPPORTED", /: If/));
  });

  test("a function that calls itself ends in an error", () => {
    const self = { op: "F", domain: "own", inputs: ["a"], output: "b" };
    const model: TestOnnx = {
      inputs: { x: ["n", 2] },
      functions: [{ name: "F", domain: "own", inputs: ["a"], outputs: ["b"], nodes: [self] }],
      nodes: [{ op: "F", domain: "own", inputs: ["x"], output: "y" }],
    };
    expect(() => read(model)).toThrowError(refused("E_FORMAT", /function F calls itself/));
  });
});

describe("quantised models", () => {
  const one = (v: number): TestConstant => floats([], v);
  const u8 = (v: number): TestConstant => ({ shape: [], data: Uint8Array.of(v) });
  const q = (x: string, output: string) => ({ op: "QuantizeLinear", inputs: [x, "s", "z"], output });
  const dq = (x: string, output: string) => ({ op: "DequantizeLinear", inputs: [x, "s", "z"], output });

  test("pairs of quantisation become annotations; what the integers cut off at 0 is cut", async () => {
    const graph = read({
      inputs: { x: ["n", 2] },
      constants: {
        s: one(0.1),
        z: u8(0),
        wq: { shape: [2, 2], data: Int8Array.of(1, 2, 3, 4) },
        ws: floats([2], 0.5, 0.25),
        wz: { shape: [2], data: Int8Array.of(0, 0) },
      },
      nodes: [
        { op: "DequantizeLinear", inputs: ["wq", "ws", "wz"], output: "w", attributes: { axis: 1 } },
        q("x", "xq"),
        dq("xq", "xf"),
        { op: "MatMul", inputs: ["xf", "w"], output: "m" },
        q("m", "mq"),
        dq("mq", "y"),
      ],
    });
    expect(opCounts(graph)).toEqual({ relu: 2, dense: 1 });
    const quant = { dtype: "u8", scale: [Math.fround(0.1)], zeroPoint: [0], axis: null };
    expect(graph.tensors.get(graph.outputs[0]!.tensor)!.quant).toEqual(quant);
    const weights = graph.tensors.get(graph.nodes.find((n) => n.op === "dense")!.inputs[1]!)!;
    expect(weights.quant).toEqual({ dtype: "i8", scale: [0.5, 0.25], zeroPoint: [0, 0], axis: 1 });
    expect(Array.from(weights.data as Float32Array)).toEqual([0.5, 0.5, 1.5, 1]);
    const { y } = await run(graph, { x: f32([1, 2], -9, 2) });
    expect(numbers(y!.data)).toEqual([3, 2]);
  });

  test("integers at the interface are quantised and dequantised there", async () => {
    const graph = read({
      inputs: { x: ["n", 2] },
      types: { x: T.UINT8 },
      constants: {
        s: one(0.5),
        z: u8(128),
        w: { shape: [2, 1], data: Int8Array.of(2, -4) },
        ws: one(0.25),
        wz: { shape: [], data: Int8Array.of(0) },
      },
      nodes: [{ op: "QLinearMatMul", inputs: ["x", "s", "z", "w", "ws", "wz", "s", "z"], output: "y" }],
    });
    expect(opCounts(graph)).toEqual({ dequantize: 1, dense: 1, quantize: 1 });
    // (130 - 128) / 2 * 0.5 - (120 - 128) / 2 * 1 = 4.5, which is 9 steps above 128.
    const { y } = await run(graph, { x: { data: Uint8Array.of(130, 120), shape: [1, 2], dtype: "u8" } });
    expect(y).toEqual({ data: Uint8Array.of(137), shape: [1, 1], dtype: "u8" });
  });
});
