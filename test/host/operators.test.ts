import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/host/autodiff.js";
import { createExecutor } from "../../src/host/executor.js";
import { hostOps } from "../../src/host/lower/index.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { opNames } from "../../src/model/ops/index.js";
import type { Graph, TensorRecord } from "../../src/model/types.js";
import { randomInputs, randomNetwork } from "../support/networks.js";
import { opCases, w, x, type OpCase } from "../support/op-cases.js";
import { expectCase, floats, graphWithConstants, operandsOf, relativeError } from "./support.js";

test("every operator of the model has a lowering, and no lowering is without operator", () => {
  expect(hostOps).toEqual([...opNames].sort());
});

describe.each(opCases)("$op, $title", (c) => {
  test("is within its bound of the reference at batch 1, 2 and 5", async () => {
    await expectCase(c, 1, 11);
    await expectCase(c, 2, 12);
    await expectCase(c, 5, 13);
  });
});

/** Channel counts around every tile and vector edge. */
const CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 21, 28, 32, 33];

const conv = (strides: number[], dilations: number[], pads: number[]): OpCase["attrs"] => ({
  strides,
  dilations,
  pads,
  groups: 1,
});
const depthwise = (strides: number[], pads: number[]): OpCase["attrs"] => ({ strides, dilations: [1, 1], pads });

describe.each(CHANNELS)("%i channels", (c) => {
  const d = CHANNELS[(CHANNELS.indexOf(c) + 5) % CHANNELS.length]!;
  const same = conv([1, 1], [1, 1], [1, 1, 1, 1]);
  const strided = conv([2, 2], [1, 1], [0, 0, 1, 1]);
  const cases: OpCase[] = [
    { title: "", op: "conv2d", attrs: same, inputs: [x(3, 5, c), w(3, 3, c, d), w(d)] },
    { title: "", op: "conv2d", attrs: same, inputs: [x(3, 5, d), w(3, 3, d, c)] },
    { title: "strided", op: "conv2d", attrs: strided, inputs: [x(6, 6, c), w(3, 3, c, d)] },
    {
      title: "1x1",
      op: "conv2d",
      attrs: conv([1, 1], [1, 1], [0, 0, 0, 0]),
      inputs: [x(3, 3, c), w(1, 1, c, d), w(d)],
    },
    { title: "", op: "conv2d_grad_input", attrs: { ...same, extent: [3, 5] }, inputs: [x(3, 5, d), w(3, 3, c, d)] },
    {
      title: "strided",
      op: "conv2d_grad_input",
      attrs: { ...strided, extent: [6, 6] },
      inputs: [x(3, 3, d), w(3, 3, c, d)],
    },
    { title: "", op: "conv2d_grad_weight", attrs: { ...same, kernel: [3, 3] }, inputs: [x(3, 5, c), x(3, 5, d)] },
    {
      title: "",
      op: "depthwise_conv2d",
      attrs: depthwise([1, 1], [1, 1, 1, 1]),
      inputs: [x(3, 5, c), w(3, 3, c, 1), w(c)],
    },
    {
      title: "strided",
      op: "depthwise_conv2d_grad_input",
      attrs: { ...depthwise([2, 2], [0, 0, 1, 1]), extent: [6, 6] },
      inputs: [x(3, 3, c), w(3, 3, c, 1)],
    },
    {
      title: "",
      op: "depthwise_conv2d_grad_weight",
      attrs: { ...depthwise([2, 2], [0, 0, 1, 1]), kernel: [3, 3] },
      inputs: [x(6, 6, c), x(3, 3, c)],
    },
    { title: "", op: "dense", attrs: {}, inputs: [x(c), w(c, d), w(d)] },
    { title: "b transposed", op: "matmul", attrs: { transposeA: false, transposeB: true }, inputs: [x(c), w(d, c)] },
    { title: "over the batch", op: "matmul", attrs: { transposeA: true, transposeB: false }, inputs: [x(c), x(d)] },
    {
      title: "",
      op: "batch_norm",
      attrs: { epsilon: 0 },
      inputs: [x(2, 3, c), w(c), w(c), w(c), w(c)],
      draw: ["normal", "normal", "normal", "normal", "positive"],
    },
    { title: "", op: "batch_norm_train", attrs: { epsilon: 1e-3 }, inputs: [x(5, 4, c), w(c), w(c)] },
    {
      title: "",
      op: "batch_norm_grad",
      attrs: {},
      inputs: [x(3, 2, c), x(3, 2, c), w(c), w(c), w(c)],
      draw: ["normal", "normal", "normal", "normal", "positive"],
    },
    { title: "", op: "add", attrs: {}, inputs: [x(2, 3, c), w(c)] },
    { title: "", op: "reduce_sum", attrs: { axes: [0, 1, 2], keepDims: false }, inputs: [x(3, 2, c)] },
    { title: "", op: "reduce_mean", attrs: { axes: [1, 2], keepDims: false }, inputs: [x(3, 2, c)] },
    { title: "", op: "softmax", attrs: { axis: 1 }, inputs: [x(c)] },
    {
      title: "",
      op: "max_pool2d",
      attrs: { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] },
      inputs: [x(4, 4, c)],
    },
    { title: "", op: "transpose", attrs: { perm: [0, 3, 1, 2] }, inputs: [x(2, 3, c)] },
    { title: "", op: "reshape", attrs: { shape: [-1, 6 * c] }, inputs: [x(2, 3, c)] },
  ];
  test.each(cases)("$op $title", async (one) => {
    await expectCase(one, 3, 100 + c);
  });
});

describe("equal maxima", () => {
  // Values of a few kinds only: most windows hold their maximum more than once, and the first gets all of the gradient.
  test.each([
    [
      {
        title: "windows",
        op: "max_pool2d",
        attrs: { kernel: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1] },
        inputs: [],
      },
    ],
    [{ title: "global", op: "reduce_max", attrs: { axes: [1, 2], keepDims: false }, inputs: [] }],
    [{ title: "channels", op: "reduce_max", attrs: { axes: [3], keepDims: true }, inputs: [] }],
  ] satisfies [OpCase][])("$op: the gradient goes to the first", async ({ op, attrs }) => {
    const builder = new GraphBuilder(op);
    const image = builder.input("x", x(4, 5, 3));
    const [y] = builder.node(op, [image], attrs);
    const dy = builder.input("dy", builder.typeOf(y!));
    builder.output(builder.node(`${op}_grad`, [dy, image, y!], attrs)[0]!, "dx");
    const graph = builder.build();
    const { dy: given, x: drawn } = randomInputs(graph, 3, 2);
    const inputs = { dy: given!, x: { ...drawn!, data: floats(drawn).map((v) => Math.round(v)) } };
    const [got, expected] = await Promise.all(
      (["wasm", "reference"] as const).map((id) => createExecutor(id, graph).run(inputs)),
    );
    // Sums of up to four gradients.
    expect(relativeError(floats(got!.dx), floats(expected!.dx))).toBeLessThan(4 * 2 ** -24);
  });
});

test("weights as constants, packed once, give the bits of weights as inputs, packed at each run", async () => {
  for (const c of opCases.filter((one) =>
    ["conv2d", "depthwise_conv2d", "dense", "batch_norm", "conv2d_grad_input"].includes(one.op),
  )) {
    const positions = c.inputs.map((_, i) => i).slice(1);
    const values = operandsOf(c, 2, 5);
    const whole: Graph = graphWithConstants(c, 5, []);
    const packed = graphWithConstants(c, 5, positions);
    const record: TensorRecord = Object.fromEntries(
      values.map(({ data, shape }, i) => [`in${i}`, { data: Float32Array.from(data), shape, dtype: "f32" as const }]),
    );
    const a = await createExecutor("wasm", whole).run(record);
    const b = await createExecutor("wasm", packed).run({ in0: record.in0! });
    expect(floats(b.out0), `${c.op} ${c.title}`).toEqual(floats(a.out0));
  }
});

/** Error of a whole f32 network against f64: roundings add up over its layers; these are a few dozen layers at most. */
const NETWORK_ERROR = 2e-5;

describe("random networks", () => {
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1);

  test.each(seeds)("network %i equals the reference, twice with other inputs", async (seed) => {
    const graph = randomNetwork(seed);
    const executor = createExecutor("wasm", graph);
    const reference = createExecutor("reference", graph);
    for (const batch of [3, 3, 1]) {
      const inputs = randomInputs(graph, seed + batch, batch);
      const expected = await reference.run(inputs);
      const got = await executor.run(inputs);
      for (const { name } of graph.outputs)
        expect(relativeError(floats(got[name]), floats(expected[name]))).toBeLessThan(NETWORK_ERROR);
    }
    await executor.close();
  });

  test.each(seeds.slice(0, 15))("every tensor of network %i can be observed", async (seed) => {
    const graph = randomNetwork(seed);
    const names = graph.nodes.flatMap((node) => node.outputs);
    const inputs = randomInputs(graph, seed, 2);
    const expected = await createExecutor("reference", graph).observe(inputs, names);
    const got = await createExecutor("wasm", graph).observe(inputs, names);
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, value] of expected)
      expect(relativeError(floats(got.get(name)), floats(value)), name).toBeLessThan(NETWORK_ERROR);
  });

  test.each(seeds.slice(0, 20))("gradients of network %i equal the reference's", async (seed) => {
    const { graph, inputs } = lossOf(randomNetwork(seed), seed);
    const constants = [...graph.tensors.values()].filter((t) => t.data && t.name.startsWith("c")).map((t) => t.name);
    const { graph: backward, gradients } = differentiate(graph, "loss", [...constants, "x"]);
    const values = new Map(
      Object.entries(inputs).map(([name, v]) => [
        name,
        { data: Float64Array.from(v.data as Float32Array), shape: v.shape },
      ]),
    );
    const exact = evaluateGraph(backward, values, 4);
    const got = await createExecutor("wasm", backward).observe(inputs, [...gradients.values()]);
    for (const [name, gradient] of gradients) {
      const expected = exact.get(gradient)!.data;
      const error = relativeError(floats(got.get(gradient)), expected);
      // A tensor that a batch norm makes irrelevant has a gradient of nothing but roundings.
      const size = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      if (size > 1e-6) expect(error, `${name} (${size})`).toBeLessThan(10 * NETWORK_ERROR);
    }
  });
});

/** Mean squared error of the only output against random targets. */
function lossOf(network: Graph, seed: number): { graph: Graph; inputs: TensorRecord } {
  const builder = new GraphBuilder("loss");
  for (const { name, tensor } of network.inputs) builder.input(name, network.tensors.get(tensor)!.type);
  for (const [name, tensor] of network.tensors)
    if (tensor.data) builder.constant(name, "f32", tensor.type.shape, tensor.data);
  for (const node of network.nodes)
    builder.node(node.op, node.inputs, node.attrs, { name: node.name, outputs: node.outputs });
  const out = network.outputs[0]!.tensor;
  const target = builder.input("target", network.tensors.get(out)!.type);
  builder.output(builder.node("mean_squared_error", [out, target], {}, { name: "loss" })[0]!);
  const graph = builder.build();
  return { graph, inputs: randomInputs(graph, seed, 4) };
}
