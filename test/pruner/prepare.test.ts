import { describe, expect, test } from "vitest";
import { producersOf, weightNorms } from "../../src/analyzer/producers.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { withConstants } from "../../src/model/graph.js";
import { foldBatchNorm } from "../../src/model/passes/index.js";
import { Random } from "../../src/model/random.js";
import { layersToNormalise, prepareForRecovery, unitFilters } from "../../src/pruner/prepare.js";
import { noise } from "../analyzer/support.js";
import { outputsOf } from "../support/coupling.js";
import { Net, randomNetwork } from "../support/networks.js";

const near = (a: Record<string, number[]>, b: Record<string, number[]>, tolerance: number): void => {
  for (const [k, v] of Object.entries(b)) {
    const size = Math.max(...v.map(Math.abs));
    a[k]!.forEach((x, i) => expect(Math.abs(x - v[i]!)).toBeLessThanOrEqual(tolerance * size));
  }
};

describe("a network prepared for recovery", () => {
  test("computes the same function, with batch norms behind every layer but the last", async () => {
    const net = new Net(new Random(6));
    const x = net.relu(net.conv(net.input([6, 6, 3]), 8));
    const y = net.relu(net.add(x, net.conv(net.relu(net.conv(x, 4)), 8)));
    const graph = net.build(net.op("softmax", [net.dense(net.globalMean(y), 4)], { axis: 1 }));
    expect(layersToNormalise(graph).map((p) => p.node.op)).toEqual(["conv2d", "conv2d", "conv2d"]);
    const prepared = await prepareForRecovery(graph, new ReferenceExecutor(graph), noise(8, [6, 6, 3]), 8);
    expect(prepared.nodes.filter((n) => n.op === "batch_norm")).toHaveLength(3);
    // Three layers, each with a handful of roundings of its constants.
    near(await outputsOf(prepared), await outputsOf(graph), 1e-5);
    near(await outputsOf(foldBatchNorm(prepared)), await outputsOf(graph), 1e-5);
  });

  test("gates upon gates are looked at once, however many ways lead back", () => {
    const net = new Net(new Random(6));
    let x = net.relu(net.conv(net.input([6, 6, 3]), 8));
    for (let i = 0; i < 60; i++) x = net.op("mul", [x, net.op("sigmoid", [x])]);
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(x, 4))), 4));
    expect(layersToNormalise(graph).map((p) => p.node.op)).toEqual(["conv2d", "conv2d"]);
  });

  test("filters in front of a batch norm have norm 1", () => {
    const net = new Net(new Random(6));
    const x = net.relu(net.norm(net.conv(net.input([6, 6, 3]), 8)));
    const graph = unitFilters(net.build(net.dense(net.globalMean(x), 4)));
    const [conv] = producersOf(graph);
    for (const n of weightNorms(graph, conv!, false)) expect(n).toBeCloseTo(1, 5);
  });

  test("filters that weight decay has all but removed stay as they are, and the network finite", async () => {
    const net = new Net(new Random(6));
    const x = net.relu(net.norm(net.conv(net.input([6, 6, 3]), 8)));
    const built = net.build(net.dense(net.globalMean(x), 4));
    const [conv] = producersOf(built);
    const weights = built.tensors.get(conv!.weight)!.data as Float32Array;
    // A variance of ordinary size divided by the square of such a norm is not finite in f32.
    const faded = weights.map((w, i) => (i % 8 === 2 ? 1e-30 * w : i % 8 === 5 ? 0 : w));
    const graph = withConstants(built, new Map([[conv!.weight, faded]]));
    const scaled = unitFilters(graph);
    near(await outputsOf(scaled), await outputsOf(graph), 1e-5);
    const norms = weightNorms(scaled, producersOf(scaled)[0]!, false);
    [0, 1, 3, 4, 6, 7].forEach((c) => expect(norms[c]).toBeCloseTo(1, 5));
    expect(norms[2]).toBeLessThan(1e-20);
    expect(norms[5]).toBe(0);
  });

  test("scaling filters changes no function, on any network", async () => {
    for (let seed = 0; seed < 25; seed++) {
      const graph = randomNetwork(seed);
      near(await outputsOf(unitFilters(graph)), await outputsOf(graph), 1e-4);
    }
  });
});
