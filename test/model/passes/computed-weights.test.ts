import { expect, test } from "vitest";
import { multiplyComputedWeights } from "../../../src/model/passes/computed-weights.js";
import { Random } from "../../../src/model/random.js";
import type { Graph, TensorType } from "../../../src/model/types.js";
import { emissionError } from "../../emit/support.js";
import { difference } from "../../support/difference.js";
import { Net, randomInputs } from "../../support/networks.js";

const fixed = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: null });

/** One rounding of each output: the reference computes in f64. */
const ROUNDING = 2 ** -23;
/** Sums of at most 2 * 3 * 4 products of size 1. */
const EMITTED = 2 * 25 * 2 ** -24;

const conv = { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 3] };

const graphs: Record<string, () => Graph> = {
  "dense layers of any rank": () => {
    const net = new Net(new Random(1));
    const w = net.builder.input("w", fixed(4, 5));
    const b = net.builder.input("b", fixed(5));
    net.builder.output(net.op("dense", [net.input([3, 4]), w, b]));
    net.builder.output(net.op("dense", [net.builder.input("row", fixed(4)), w]));
    net.builder.output(net.op("dense", [net.input([4], "flat"), net.weight([4, 5]), b]));
    return net.builder.build();
  },
  "convolutions with strides, dilation and padding": () => {
    const net = new Net(new Random(2));
    const x = net.input([5, 6, 4]);
    const w = net.builder.input("w", fixed(2, 3, 4, 5));
    const b = net.builder.input("b", fixed(5));
    net.builder.output(net.op("conv2d", [x, w, b], { ...conv, groups: 1 }));
    net.builder.output(net.op("conv2d", [x, net.weight([2, 3, 4, 5]), b], { ...conv, groups: 1 }));
    const one = net.builder.input("one", fixed(1, 1, 4, 3));
    const pointwise = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
    net.builder.output(net.op("relu", [net.op("conv2d", [x, one], pointwise)]));
    net.builder.output(
      net.op("depthwise_conv2d", [x, net.weight([2, 2, 4, 1]), net.builder.input("d", fixed(4))], conv),
    );
    return net.builder.build();
  },
  "grouped and depthwise convolutions": () => {
    const net = new Net(new Random(4));
    const x = net.input([5, 6, 6]);
    const w = net.builder.input("w", fixed(2, 3, 3, 4));
    const b = net.builder.input("b", fixed(4));
    net.builder.output(net.op("conv2d", [x, w, b], { ...conv, groups: 2 }));
    const d = net.builder.input("d", fixed(2, 2, 6, 1));
    net.builder.output(net.op("depthwise_conv2d", [x, d], conv));
    const m = net.builder.input("m", fixed(1, 1, 6, 3));
    net.builder.output(net.op("depthwise_conv2d", [x, m], { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }));
    return net.builder.build();
  },
};

test("a batch norm with computed statistics is a product and an addition, within its own bound", async () => {
  const net = new Net(new Random(5));
  const x = net.input([3, 4, 5]);
  const c = ["gamma", "beta", "mean"].map((name) => net.builder.input(name, fixed(5)));
  // A variance between 1 and about 2.
  const square = net.builder.input("root", fixed(5));
  const variance = net.op("add", [net.op("mul", [square, square]), net.weight([1])]);
  const positive = net.op("abs", [variance]);
  net.builder.output(net.op("batch_norm", [x, ...c, positive], { epsilon: 1 }));
  const graph = net.builder.build();
  const changed = multiplyComputedWeights(graph);
  expect(changed.nodes.some((n) => n.op === "batch_norm")).toBe(false);
  expect(await difference(changed, graph, randomInputs(graph, 3, 2))).toBeLessThan(ROUNDING);
  expect(await emissionError(graph)).toBeLessThan(EMITTED);
});

test.each(Object.entries(graphs))(
  "%s: products and additions give the same, and packages run them",
  async (_, make) => {
    const graph = make();
    const changed = multiplyComputedWeights(graph);
    expect(changed.nodes.some((n) => n.op === "matmul")).toBe(true);
    for (const node of changed.nodes) {
      if (node.op !== "matmul" && "groups" in node.attrs) {
        expect(node.inputs.slice(1).every((name) => changed.tensors.get(name)!.data)).toBe(true);
      }
    }
    expect(await difference(changed, graph, randomInputs(graph, 3, 2))).toBeLessThan(ROUNDING);
    expect(await emissionError(graph)).toBeLessThan(EMITTED);
  },
);

test("a network whose weights are all fixed is left alone", () => {
  const net = new Net(new Random(3));
  const graph = net.build(net.dense(net.flatten(net.conv(net.input([4, 4, 3]), 5)), 2));
  expect(multiplyComputedWeights(graph)).toBe(graph);
});
