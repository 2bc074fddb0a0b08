import { describe, expect, test } from "vitest";
import { measureFlow } from "../../src/analyzer/flow.js";
import { removableUnits } from "../../src/analyzer/units.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import type { GroupCut } from "../../src/model/cut.js";
import { cutAtoms } from "../../src/model/cut.js";
import { withConstants } from "../../src/model/graph.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { compensate, compensatedTensors } from "../../src/pruner/compensate.js";
import { removeUnit } from "../../src/pruner/remove-unit.js";
import { noise } from "../analyzer/support.js";
import { groupOf, outputsOf } from "../support/coupling.js";
import { Net } from "../support/networks.js";

/** The same graph with one filter of a convolution replaced: weights 0, bias `b`. */
function constantFilter(graph: Graph, node: string, channel: number, b: number): Graph {
  const [, w, bias] = graph.nodes.find((n) => n.name === node)!.inputs as [string, string, string];
  const weights = Float32Array.from(graph.tensors.get(w)!.data as Float32Array);
  const biases = Float32Array.from(graph.tensors.get(bias)!.data as Float32Array);
  for (let i = channel; i < weights.length; i += biases.length) weights[i] = 0;
  biases[channel] = b;
  return withConstants(
    graph,
    new Map([
      [w, weights],
      [bias, biases],
    ]),
  );
}

async function cutWithCompensation(graph: Graph, cuts: GroupCut[]): Promise<Graph> {
  const flow = await measureFlow(graph, new ReferenceExecutor(graph), noise(4, [6, 6, 3]), {
    tensors: compensatedTensors(graph),
  });
  return cutAtoms(compensate(graph, cuts, flow), cuts);
}

function network(kernel: number): { graph: Graph; relu: string } {
  const net = new Net(new Random(2));
  const relu = net.relu(net.conv(net.input([6, 6, 3]), 6));
  const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(relu, 5, kernel))), 3));
  return { graph, relu };
}

const near = (a: Record<string, number[]>, b: Record<string, number[]>, tolerance: number): void => {
  const size = Math.max(...b.y!.map(Math.abs));
  a.y!.forEach((v, i) => expect(Math.abs(v - b.y![i]!)).toBeLessThanOrEqual(tolerance * size));
};

describe("cutting channels that carry nothing", () => {
  test("a channel that is always zero: logits are unchanged, padding or not", async () => {
    for (const kernel of [1, 3]) {
      const { graph, relu } = network(kernel);
      const dead = constantFilter(graph, "conv2d_0", 2, -1);
      const cut = await cutWithCompensation(dead, [{ group: groupOf(dead, relu, -1), atoms: [2] }]);
      expect(await outputsOf(cut)).toEqual(await outputsOf(dead));
    }
  });

  test("a constant channel read without padding: its constant moves into the consumer's bias", async () => {
    const { graph, relu } = network(1);
    const constant = constantFilter(graph, "conv2d_0", 2, 1.5);
    const cuts = [{ group: groupOf(constant, relu, -1), atoms: [2] }];
    // One rounding of the new bias to f32.
    near(await outputsOf(await cutWithCompensation(constant, cuts)), await outputsOf(constant), 8 * 2 ** -24);
    // Without compensation the logits do move: the test can fail.
    const plain = await outputsOf(cutAtoms(constant, cuts));
    expect(Math.abs(plain.y![0]! - (await outputsOf(constant)).y![0]!)).toBeGreaterThan(1e-3);
  });

  test("a constant channel read with padding: the mean of every output is kept", async () => {
    const net = new Net(new Random(2));
    const relu = net.relu(net.conv(net.input([6, 6, 3]), 6));
    // No activation behind the consumer, so the global mean shows the mean of its outputs.
    const graph = net.build(net.globalMean(net.conv(relu, 5, 3)));
    const constant = constantFilter(graph, "conv2d_0", 2, 1.5);
    const cuts = [{ group: groupOf(constant, relu, -1), atoms: [2] }];
    near(await outputsOf(await cutWithCompensation(constant, cuts)), await outputsOf(constant), 16 * 2 ** -24);
  });

  test("a layer without bias passes the constant to the mean of its batch norm", async () => {
    const net = new Net(new Random(2));
    const relu = net.relu(net.conv(net.input([6, 6, 3]), 6));
    const y = net.relu(net.norm(net.conv(relu, 5, 1, 1, { bias: false })));
    const graph = net.build(net.dense(net.globalMean(y), 3));
    const constant = constantFilter(graph, "conv2d_0", 4, 0.75);
    const cuts = [{ group: groupOf(constant, relu, -1), atoms: [4] }];
    near(await outputsOf(await cutWithCompensation(constant, cuts)), await outputsOf(constant), 32 * 2 ** -24);
  });

  test("flattened channels pass every position to the fully connected layer", async () => {
    const net = new Net(new Random(2));
    const relu = net.relu(net.conv(net.input([6, 6, 3]), 6, 3, 3));
    const graph = net.build(net.dense(net.flatten(relu), 3));
    const constant = constantFilter(graph, "conv2d_0", 1, 0.5);
    const cuts = [{ group: groupOf(constant, relu, -1), atoms: [1] }];
    near(await outputsOf(await cutWithCompensation(constant, cuts)), await outputsOf(constant), 8 * 2 ** -24);
  });
});

describe("removing a unit that carries nothing", () => {
  test("a residual branch whose output is zero: logits are unchanged", async () => {
    const net = new Net(new Random(4));
    const x = net.relu(net.conv(net.input([6, 6, 3]), 8));
    const zero = net.weight([3, 3, 4, 8], 0);
    const branch = net.conv(net.relu(net.conv(x, 4)), 8, 3, 1, { w: zero, bias: false });
    const graph = net.build(net.dense(net.globalMean(net.relu(net.add(x, branch))), 3));
    const unit = removableUnits(graph).find((u) => u.kind === "branch")!;
    const without = removeUnit(graph, unit);
    expect(without.nodes.length).toBe(graph.nodes.length - 4);
    expect(await outputsOf(without)).toEqual(await outputsOf(graph));
  });

  test("a layer that is the identity: logits are unchanged", async () => {
    const net = new Net(new Random(4));
    const x = net.relu(net.conv(net.input([6, 6, 3]), 2));
    const identity = net.builder.constant("id", "f32", [1, 1, 2, 2], Float32Array.of(1, 0, 0, 1));
    const y = net.relu(net.conv(x, 2, 1, 1, { w: identity, bias: false }));
    const graph = net.build(net.dense(net.globalMean(y), 3));
    const unit = removableUnits(graph).find((u) => u.output === y)!;
    expect(await outputsOf(removeUnit(graph, unit))).toEqual(await outputsOf(graph));
  });
});
