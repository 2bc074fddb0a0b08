import { describe, expect, test } from "vitest";
import { cutAtoms } from "../../src/model/cut.js";
import { withConstants } from "../../src/model/graph.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { NormalEquations } from "../../src/pruner/least-squares.js";
import { repairLayers } from "../../src/pruner/repair.js";
import { hostEngine } from "../../src/pruner/engine.js";
import { noise } from "../analyzer/support.js";
import { groupOf, outputsOf } from "../support/coupling.js";
import { Net } from "../support/networks.js";

const engine = hostEngine({ executor: "reference" });
const data = noise(24, [6, 6, 3]);

/** The graph with filter `to` of a convolution made equal to filter `from`. */
function twins(graph: Graph, node: string, from: number, to: number): Graph {
  const [, w, b] = graph.nodes.find((n) => n.name === node)!.inputs as [string, string, string];
  const weights = Float32Array.from(graph.tensors.get(w)!.data as Float32Array);
  const bias = Float32Array.from(graph.tensors.get(b)!.data as Float32Array);
  for (let i = 0; i < weights.length; i += bias.length) weights[i + to] = weights[i + from]!;
  bias[to] = bias[from]!;
  return withConstants(
    graph,
    new Map([
      [w, weights],
      [b, bias],
    ]),
  );
}

const distance = (a: Record<string, number[]>, b: Record<string, number[]>): number =>
  Math.max(...b.y!.map((v, i) => Math.abs(v - a.y![i]!))) / Math.max(...b.y!.map(Math.abs));

describe("least squares", () => {
  test("finds the coefficients of an exact relation", () => {
    const random = new Random(3);
    const truth = Array.from({ length: 4 * 2 }, () => random.normal());
    const equations = new NormalEquations(4, 2);
    for (let r = 0; r < 40; r++) {
      const a = Float64Array.from({ length: 4 }, () => random.normal());
      equations.add(
        a,
        Float64Array.from({ length: 2 }, (_, o) => a.reduce((s, v, k) => s + v * truth[k * 2 + o]!, 0)),
      );
    }
    equations.solve(0).forEach((v, i) => expect(v).toBeCloseTo(truth[i]!, 9));
  });

  test("a ridge keeps undetermined coefficients at 0 instead of failing", () => {
    const equations = new NormalEquations(3, 1);
    for (let r = 0; r < 5; r++) equations.add(Float64Array.of(r, 0, 0), Float64Array.of(2 * r));
    const [x, y, z] = equations.solve(1e-6);
    expect(x).toBeCloseTo(2, 4);
    expect([y, z]).toEqual([0, 0]);
  });
});

describe("repair after a cut", () => {
  test.each([3, 1])(
    "a channel with a twin is no loss: the consumer (%i x %i) takes its weights over",
    async (kernel) => {
      const net = new Net(new Random(8));
      const relu = net.relu(net.conv(net.input([6, 6, 3]), 6));
      const graph = twins(
        net.build(net.dense(net.globalMean(net.relu(net.conv(relu, 5, kernel))), 3)),
        "conv2d_0",
        1,
        4,
      );
      const cuts = [{ group: groupOf(graph, relu, -1), atoms: [4] }];
      const cut = cutAtoms(graph, cuts);
      const before = distance(await outputsOf(cut), await outputsOf(graph));
      const after = distance(
        await outputsOf(await repairLayers(graph, cut, cuts, engine, data, { seed: 1 })),
        await outputsOf(graph),
      );
      expect(before).toBeGreaterThan(0.05);
      // What is left is the ridge's pull, a thousandth, and what the layers behind see of it.
      expect(after).toBeLessThan(0.02 * before + 2e-3);
    },
  );

  test("through a batch norm, a stride and a fully connected layer as well", async () => {
    const net = new Net(new Random(9));
    const relu = net.relu(net.conv(net.input([6, 6, 3]), 6));
    const y = net.relu(net.norm(net.conv(relu, 5, 3, 2, { bias: false })));
    const graph = twins(net.build(net.dense(net.flatten(y), 3)), "conv2d_0", 0, 3);
    const cuts = [{ group: groupOf(graph, relu, -1), atoms: [3] }];
    const cut = cutAtoms(graph, cuts);
    const repaired = await repairLayers(graph, cut, cuts, engine, data, { seed: 1 });
    expect(distance(await outputsOf(repaired), await outputsOf(graph))).toBeLessThan(0.01);
    expect(distance(await outputsOf(cut), await outputsOf(graph))).toBeGreaterThan(0.05);
  });

  test("one seed, one result", async () => {
    const net = new Net(new Random(8));
    const relu = net.relu(net.conv(net.input([6, 6, 3]), 6));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(relu, 5))), 3));
    const cuts = [{ group: groupOf(graph, relu, -1), atoms: [0, 2] }];
    const repair = () => repairLayers(graph, cutAtoms(graph, cuts), cuts, engine, data, { seed: 4 });
    expect(await outputsOf(await repair())).toEqual(await outputsOf(await repair()));
  });

  test("nothing lost, nothing touched", async () => {
    const net = new Net(new Random(8));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(net.input([6, 6, 3]), 6))), 3));
    expect(await repairLayers(graph, graph, [], engine, data, { seed: 1 })).toBe(graph);
  });
});
