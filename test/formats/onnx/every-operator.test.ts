import { describe, expect, test } from "vitest";
import { onnxBytes } from "../../../src/formats/index.js";
import { readOnnx } from "../../../src/formats/onnx/read.js";
import { parseOnnx } from "../../../src/formats/onnx/wire.js";
import { writers } from "../../../src/formats/onnx/write/operators.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import { equalGraphs } from "../../../src/model/equal.js";
import { getOp, opNames } from "../../../src/model/ops/index.js";
import { Random } from "../../../src/model/random.js";
import { sizeOf, type Attrs, type Dtype, type Graph } from "../../../src/model/types.js";
import { outputsOf, randomInputs, relativeError } from "../support.js";

interface Case {
  /** Shapes of computed operands; a name before ":" is their element type, made by a cast. */
  readonly inputs: readonly (readonly number[])[];
  readonly dtypes?: readonly Dtype[];
  /** Shapes of constants behind them. */
  readonly constants?: readonly (readonly number[])[];
  readonly attrs?: Attrs;
  /** Written as several nodes of other operators, which is what is read again. */
  readonly apart?: boolean;
}

const unary = (attrs: Attrs = {}): Case => ({ inputs: [[1, 4, 3, 2]], attrs });
const pair = (dtype: Dtype = "f32"): Case => ({ inputs: [[1, 4, 3], [1, 1, 3]], dtypes: [dtype, dtype] }); // prettier-ignore
const window = { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 1] };
const quant = { scale: [0.25], zeroPoint: [3], axis: null };
const recurrent = { direction: "bidirectional", clip: null };
const rnn = (gates: number, attrs: Attrs): Case => ({
  inputs: [[5, 1, 3]],
  constants: [[2, gates * 4, 3], [2, gates * 4, 4], [2, 2 * gates * 4]], // prettier-ignore
  attrs: { ...recurrent, ...attrs },
});

const plain =
  "abs ceil cos erf exp floor hard_swish log neg reciprocal relu relu6 round rsqrt sigmoid sign silu sin softplus softsign sqrt tanh";
const floats =
  "add sub mul div min max pow prelu equal not_equal less less_equal greater greater_equal mod_trunc floor_div";

const cases: Record<string, Case> = {
  ...Object.fromEntries(plain.split(" ").map((op) => [op, unary()])),
  ...Object.fromEntries(floats.split(" ").map((op) => [op, pair()])),
  ...Object.fromEntries(["logical_and", "logical_or", "logical_xor"].map((op) => [op, pair("bool")])),
  logical_not: { inputs: [[1, 3]], dtypes: ["bool"] },
  floor_mod: pair("i32"),
  select: { inputs: [[1, 3], [1, 3], [1, 3]], dtypes: ["bool", "f32", "f32"] }, // prettier-ignore
  elu: unary({ alpha: 0.5 }),
  selu: unary({ alpha: 1.5, gamma: 2 }),
  leaky_relu: unary({ alpha: 0.2 }),
  hard_sigmoid: unary({ alpha: 0.3, beta: 0.4 }),
  gelu: unary({ approximate: "tanh" }),
  clip: unary({ min: -0.5, max: null }),
  cast: unary({ to: "i32" }),
  quantize: unary({ ...quant, dtype: "u8", rounding: "away" }),
  dequantize: { inputs: [[1, 3]], dtypes: ["u8"], attrs: quant },
  fake_quantize: unary({ ...quant, dtype: "i8", rounding: "even" }),
  conv2d: { inputs: [[1, 7, 6, 4]], constants: [[2, 3, 2, 6], [6]], attrs: { ...window, groups: 2 } },
  depthwise_conv2d: { inputs: [[1, 7, 6, 2]], constants: [[2, 3, 2, 3], [6]], attrs: window },
  conv_transpose2d: {
    inputs: [[1, 3, 4, 4]],
    constants: [[3, 2, 4, 3], [6]],
    attrs: { ...window, outputPads: [1, 0], groups: 2 },
  },
  dense: { inputs: [[1, 5, 3]], constants: [[3, 2], [2]] },
  matmul: { inputs: [[1, 2, 3, 4], [1, 2, 5, 4]], attrs: { transposeA: false, transposeB: true } }, // prettier-ignore
  batch_norm: { inputs: [[1, 3, 3, 2]], constants: [[2], [2], [2], [2]], attrs: { epsilon: 0.01 } },
  layer_norm: { inputs: [[1, 3, 4]], constants: [[4], [4]], attrs: { axis: 2, epsilon: 0.01 } },
  group_norm: { inputs: [[1, 3, 3, 4]], constants: [[4], [4]], attrs: { groups: 2, epsilon: 0.01 } },
  softmax: unary({ axis: 2 }),
  max_pool2d: { inputs: [[1, 7, 7, 2]], attrs: { kernel: [2, 2], ...window, pads: [0, 0, 1, 0] } },
  avg_pool2d: {
    inputs: [[1, 6, 6, 2]],
    attrs: {
      kernel: [3, 2],
      strides: [2, 2],
      pads: [1, 0, 2, 0],
      padsCounted: [1, 0, 1, 0],
      countIncludePad: true,
    },
  },
  lstm: rnn(4, { activations: ["sigmoid", "tanh", "tanh", "hard_sigmoid", "tanh", "relu"], clip: 2 }),
  gru: rnn(3, { activations: ["sigmoid", "tanh", "sigmoid", "relu"], linearBeforeReset: true }),
  rnn: rnn(1, { activations: ["tanh", "linear"] }),
  ...Object.fromEntries(
    ["reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_sum"].map((op) => [
      op,
      unary({ axes: [1, 3], keepDims: false }),
    ]),
  ),
  pad: unary({ before: [0, 1, 0, 1], after: [0, 2, 1, 0], value: 0, mode: "reflect" }),
  slice: unary({ begin: [0, 3, 0, 0], size: [-1, 2, 3, 2], steps: [1, -2, 1, 1] }),
  resize: unary({
    sizes: [7, 6],
    scales: null,
    mode: "linear",
    coordinates: "half_pixel",
    rounding: "round_prefer_floor",
    cubicCoefficient: -0.75,
    excludeOutside: false,
  }),
  reshape: unary({ shape: [-1, 6, 4] }),
  transpose: unary({ perm: [0, 2, 1, 3] }),
  concat: { inputs: [[1, 2, 3], [1, 4, 3]], attrs: { axis: 1 } }, // prettier-ignore
  gather: { inputs: [[1, 4, 3], [2, 2]], dtypes: ["f32", "i32"], attrs: { axis: 1 } }, // prettier-ignore
  tile: unary({ repeats: [1, 2, 1, 3] }),
  broadcast_to: { inputs: [[1, 1, 3]], attrs: { shape: [-1, 4, 3] } },
  arg_reduce: unary({ axis: 1, keepDims: true, kind: "min", last: true }),
  top_k: unary({ axis: 1, k: 2, largest: false }),
  cumsum: unary({ axis: 1, exclusive: true, reverse: true }),
};

describe("every operator has an ONNX form that is read as the same operator", () => {
  test("none is left out", () => {
    const all = opNames.filter((name) => !getOp(name).internal && Object.hasOwn(writers, name));
    expect(Object.keys(cases).sort()).toEqual(all);
    const others = opNames.filter((name) => !getOp(name).internal && !Object.hasOwn(writers, name));
    // Those are written in their expanded form.
    expect(others.filter((name) => !getOp(name).expand)).toEqual([]);
  });

  test.each(Object.keys(cases))("%s", async (op) => {
    const { inputs, dtypes = [], constants = [], attrs = {} } = cases[op]!;
    const random = new Random(3);
    const b = new GraphBuilder(op);
    const operands = inputs.map((shape, i) => {
      const dtype = dtypes[i] ?? "f32";
      const batchAxis = op === "lstm" || op === "gru" || op === "rnn" ? 1 : op === "gather" && i > 0 ? null : 0;
      const x = b.input(`x${i}`, { dtype: "f32", shape, batchAxis });
      return dtype === "f32" ? x : b.node("cast", [x], { to: dtype })[0]!;
    });
    constants.forEach((shape, i) => {
      const data = Float32Array.from({ length: sizeOf(shape) }, () => random.next() + 0.1);
      operands.push(b.constant(`c${i}`, "f32", shape, data));
    });
    b.node(op, operands, attrs).forEach((y, i) => b.output(y, `y${i}`));
    const graph = b.build();

    const bytes = onnxBytes(graph);
    const again = readOnnx(bytes, "again", "again.onnx");
    expect(equalGraphs(graph, again)).toBeNull();
    expect(Buffer.compare(onnxBytes(again), bytes)).toBe(0);
    const values = randomInputs(graph, 5);
    const [before, after] = [await outputsOf(graph, values), await outputsOf(again, values)];
    before.forEach((value, i) => expect(after[i]).toEqual(value));
  });
});

test("only the activations of a recurrence that have parameters take them", () => {
  const b = new GraphBuilder("parameters");
  const x = b.input("x", { dtype: "f32", shape: [5, 1, 3], batchAxis: 1 });
  const weights = [[1, 16, 3], [1, 16, 4]].map((shape) => b.constant("w", "f32", shape, new Float32Array(sizeOf(shape)))); // prettier-ignore
  const activations = ["sigmoid", "linear", "hard_sigmoid"];
  const attrs = { direction: "forward", activations, clip: null, hardSigmoid: [0.25, 0.75] };
  b.output(b.node("lstm", [x, ...weights], attrs)[0]!);
  const { attribute } = parseOnnx(onnxBytes(b.build()), "f").graph.nodes[0]!;
  const floats = (name: string): number[] => [...attribute.find((a) => a.name === name)!.floats];
  expect(floats("activation_alpha")).toEqual([1, 0.25]);
  expect(floats("activation_beta")).toEqual([0, 0.75]);
});

describe("a long short-term memory whose cell is clipped, which ONNX cannot say", () => {
  const clipped = (moments: number): Graph => {
    const random = new Random(7);
    const b = new GraphBuilder("clipped");
    const x = b.input("x", { dtype: "f32", shape: [moments, 1, 3], batchAxis: 1 });
    const weights = [[2, 16, 3], [2, 16, 4], [2, 32]].map((shape, i) =>
      b.constant(`c${i}`, "f32", shape, Float32Array.from({ length: sizeOf(shape) }, () => random.normal())),
    ); // prettier-ignore
    const activations = ["sigmoid", "tanh", "tanh", "sigmoid", "tanh", "tanh"];
    const attrs = { direction: "bidirectional", activations, clip: null, cellClip: 0.3 };
    b.node("lstm", [x, ...weights], attrs, { name: "memory" }).forEach((y, i) => b.output(y, `y${i}`));
    return b.build();
  };

  test("is written as its steps", async () => {
    const graph = clipped(5);
    const again = readOnnx(onnxBytes(graph), "again", "again.onnx");
    expect(again.nodes.map((node) => node.op)).toContain("clip");
    expect(again.nodes.map((node) => node.op)).not.toContain("lstm");
    expect(equalGraphs(again, readOnnx(onnxBytes(again), "again", "again.onnx"))).toBeNull();
    const values = randomInputs(graph, 5);
    const [before, after] = [await outputsOf(graph, values), await outputsOf(again, values)];
    before.forEach((value, i) => {
      expect(after[i]!.shape).toEqual(value.shape);
      expect(relativeError(after[i]!.data as Float32Array, value.data as Float32Array)).toBeLessThan(64 * 2 ** -24);
    });
  });

  test("is refused where the steps are too many", () => {
    expect(() => onnxBytes(clipped(513))).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message:
          'graph "clipped" cannot be written as ONNX: ' +
          "lstm with cellClip over 513 moments, of which at most 512 are written as steps (memory)",
      }),
    );
  });
});
