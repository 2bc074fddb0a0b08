import { describe, expect, test } from "vitest";
import { parseTflite } from "../../../src/formats/tflite/file.js";
import { readTflite } from "../../../src/formats/tflite/read.js";
import { tfliteBytes } from "../../../src/formats/tflite/write.js";
import { equalGraphs } from "../../../src/model/equal.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import type { Attrs, Graph, TensorType } from "../../../src/model/types.js";
import { outputsOf, randomInputs, relativeError } from "../support.js";
import { cases } from "../tflite-cases.js";
import { writeTflite } from "../tflite-writer.js";

const again = (graph: Graph): Graph => readTflite(tfliteBytes(graph), graph.name, "again.tflite");

describe("what is read from a TFLite file", () => {
  test.each(Object.keys(cases))("%s: written and read again it is the same graph, in the same bytes", (name) => {
    const graph = readTflite(writeTflite(cases[name]!), "model", "model.tflite");
    const bytes = tfliteBytes(graph);
    const copy = readTflite(bytes, "model", "copy.tflite");
    expect(equalGraphs(graph, copy)).toBeNull();
    expect(Buffer.compare(tfliteBytes(copy), bytes)).toBe(0);
  });
});

const f32 = (shape: number[], batchAxis: number | null = 0): TensorType => ({ dtype: "f32", shape, batchAxis });

/** One node on inputs of the given types and f32 constants of the given shapes. */
function single(op: string, inputs: TensorType[], constants: number[][], attrs: Attrs = {}): Graph {
  const b = new GraphBuilder("model");
  const xs = inputs.map((type, i) => b.input(`x${i}`, type));
  const ws = constants.map((shape, k) => {
    const data = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i + k + 1));
    return b.constant(`w${k}`, "f32", shape, data);
  });
  b.node(op, [...xs, ...ws], attrs).forEach((y, i) => b.output(y, `y${i}`));
  return b.build();
}

const image = f32([1, 7, 6, 4]);
const window = { strides: [2, 1], dilations: [1, 1], pads: [2, 0, 1, 1] };
const pooling = { kernel: [3, 2], strides: [2, 1], pads: [1, 1, 1, 0] };
const lstm = { activations: ["sigmoid", "tanh", "tanh"], clip: null };

/** Operators, or uses of them, for which TFLite has none. */
const composed: Record<string, Graph> = {
  "padding that is neither SAME nor VALID": single("conv2d", [image], [[3, 2, 4, 5], [5]], { ...window, groups: 1 }),
  "dilated maximum": single("max_pool2d", [image], [], { ...pooling, dilations: [2, 1] }),
  "average that counts its padding": single("avg_pool2d", [image], [], { ...pooling, countIncludePad: true }),
  "average that does not, unlike SAME": single("avg_pool2d", [image], [], { ...pooling, countIncludePad: false }),
  "transposed convolution, cut and added to": single("conv_transpose2d", [image], [[3, 3, 4, 5], [5]], {
    strides: [2, 2],
    dilations: [1, 1],
    pads: [1, 2, 0, 1],
    outputPads: [1, 0],
    groups: 1,
  }),
  "layer norm": single("layer_norm", [f32([1, 5, 8])], [[8], [8]], { axis: 2, epsilon: 1e-5 }),
  "group norm": single("group_norm", [image], [[4], [4]], { groups: 2, epsilon: 1e-5 }),
  "softmax along an inner axis": single("softmax", [f32([1, 5, 8])], [], { axis: 1 }),
  "elu with another alpha": single("elu", [image], [], { alpha: 0.5 }),
  selu: single("selu", [image], [], { alpha: 1.67, gamma: 1.05 }),
  silu: single("silu", [image], []),
  softplus: single("softplus", [image], []),
  "hard sigmoid": single("hard_sigmoid", [image], [], { alpha: 0.2, beta: 0.5 }),
  "padding with the edge": single("pad", [image], [], {
    before: [0, 1, 2, 0],
    after: [0, 2, 0, 0],
    value: 0,
    mode: "edge",
  }),
  "cubic resampling": single("resize", [image], [], { sizes: [11, 4], mode: "cubic", coordinates: "half_pixel" }),
  "nearest resampling as ONNX rounds": single("resize", [image], [], {
    sizes: [11, 4],
    mode: "nearest",
    coordinates: "half_pixel",
  }),
  "the smallest along an inner axis": single("top_k", [f32([1, 5, 8])], [], { axis: 1, k: 2, largest: false }),
  "the last of the largest": single("arg_reduce", [f32([1, 5, 8])], [], {
    axis: 2,
    keepDims: true,
    kind: "max",
    last: true,
  }),
  "a sequence forwards": single(
    "lstm",
    [f32([5, 1, 3], 1)],
    [
      [1, 16, 3],
      [1, 16, 4],
      [1, 32],
    ],
    {
      ...lstm,
      direction: "forward",
    },
  ),
  "a sequence both ways": single(
    "lstm",
    [f32([5, 1, 3], 1)],
    [
      [2, 16, 3],
      [2, 16, 4],
      [2, 32],
    ],
    {
      activations: [...lstm.activations, ...lstm.activations],
      clip: 2,
      direction: "bidirectional",
    },
  ),
  "gated units": single(
    "gru",
    [f32([5, 1, 3], 1)],
    [
      [1, 12, 3],
      [1, 12, 4],
      [1, 24],
    ],
    {
      activations: ["sigmoid", "tanh"],
      clip: null,
      direction: "reverse",
      linearBeforeReset: true,
    },
  ),
  "fake quantisation": single("fake_quantize", [image], [], {
    dtype: "i8",
    scale: [0.02],
    zeroPoint: [3],
    axis: null,
    rounding: "away",
  }),
};

describe("what TFLite has no operator for", () => {
  test.each(Object.keys(composed))("%s computes the same when it is written as others", async (name) => {
    const graph = composed[name]!;
    const copy = again(graph);
    expect(copy.inputs.map((p) => p.name)).toEqual(graph.inputs.map((p) => p.name));
    expect(copy.outputs.map((p) => p.name)).toEqual(graph.outputs.map((p) => p.name));
    const inputs = randomInputs(graph, 5);
    const [want, got] = [await outputsOf(graph, inputs), await outputsOf(copy, inputs)];
    want.forEach((w, i) => {
      expect(got[i]!.shape).toEqual(w.shape);
      // Constants of the formulas are rounded to f32 once more.
      expect(relativeError(got[i]!.data as Float32Array, w.data as Float32Array)).toBeLessThan(64 * 2 ** -24);
    });
  });
});

test("convolutions without a bias get one of zeros, which LiteRT.js needs, and lose it when they are read", () => {
  const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
  const graphs = [
    single("conv2d", [image], [[3, 2, 4, 5]], { ...attrs, groups: 1 }),
    single("depthwise_conv2d", [image], [[3, 2, 4, 1]], attrs),
    single("conv_transpose2d", [image], [[3, 2, 4, 5]], { ...attrs, outputPads: [0, 0], groups: 1 }),
  ];
  for (const graph of graphs) {
    const { operators, tensors } = parseTflite(tfliteBytes(graph), "bias.tflite");
    const bias = tensors[operators.at(-1)!.inputs.at(-1)!]!;
    expect(Array.from(bias.data!)).toEqual(new Array(4 * bias.shape[0]!).fill(0));
    expect(again(graph).nodes.map((node) => node.inputs.length)).toEqual([2]);
  }
});

describe("recurrences", () => {
  const sequence = (moments: number, direction: string): Graph =>
    single("lstm", [f32([moments, 1, 3], 1)], [[1, 16, 3], [1, 16, 4], [1, 32]], { ...lstm, direction }); // prettier-ignore
  const lastIgnored = (graph: Graph): Graph => ({ ...graph, outputs: graph.outputs.slice(0, 1) });

  test("are written without variable tensors, which LiteRT.js refuses", () => {
    const ops = again(lastIgnored(sequence(5, "forward"))).nodes.map((node) => node.op);
    expect(ops).not.toContain("lstm");
    expect(ops.filter((op) => op === "tanh")).toHaveLength(10);
  });

  test("are one operator where the steps are too many and TFLite has one", () => {
    const copy = again(lastIgnored(sequence(513, "forward")));
    expect(copy.nodes.map((node) => node.op)).toContain("lstm");
    expect(equalGraphs(copy, again(copy))).toBeNull();
  });

  test("are refused where TFLite has none", () => {
    expect(() => tfliteBytes(sequence(513, "reverse"))).toThrowError(
      expect.objectContaining({
        code: "E_UNSUPPORTED",
        message: expect.stringContaining("lstm over 513 moments, of which at most 512 are written as steps (lstm_0)"),
      }),
    );
  });
});

test("what cannot be written is refused, node by node", () => {
  const b = new GraphBuilder("model");
  const x = b.input("x", f32([1, 4]));
  const [a] = b.node("erf", [x], {}, { name: "first" });
  b.output(b.node("erf", [x], {}, { name: "second" })[0]!);
  b.output(a!);
  expect(() => tfliteBytes(b.build())).toThrowError(
    expect.objectContaining({ code: "E_UNSUPPORTED", message: expect.stringContaining("erf (first), erf (second)") }),
  );
});
