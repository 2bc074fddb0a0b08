import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReferenceExecutor } from "../../../src/host/reference.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import { equalGraphs } from "../../../src/model/equal.js";
import { foldBatchNorm, foldConstants, insertBatchNorm, removeDeadNodes } from "../../../src/model/passes/index.js";
import { Random } from "../../../src/model/random.js";
import type { Graph, Node } from "../../../src/model/types.js";
import { difference } from "../../support/difference.js";
import { Net, randomInputs, randomNetwork } from "../../support/networks.js";

const seeds = fc.integer({ min: 1, max: 100_000 });
const ops = (graph: Graph): string[] => graph.nodes.map((n) => n.op);

/**
 * Folding rounds each weight and bias once more, so outputs move by about one rounding for each layer on the way:
 * 20 layers of 2^-24, times what random networks amplify (no more than 50 here).
 */
const FOLDED = 1e-4;

describe("foldBatchNorm", () => {
  test("keeps the function of random networks and leaves no batch norm", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const graph = randomNetwork(seed);
        const folded = foldBatchNorm(graph);
        expect(ops(folded)).not.toContain("batch_norm");
        expect(await difference(folded, graph, randomInputs(graph, seed))).toBeLessThan(FOLDED);
      }),
      { numRuns: 40 },
    );
  });

  test.each(["conv", "depthwise", "dense"] as const)(
    "goes into a %s without adding a node, and keeps the output's name",
    (kind) => {
      const net = new Net(new Random(1));
      const x = net.input([5, 5, 4]);
      const before =
        kind === "conv"
          ? net.conv(x, 6, 3, 1, { bias: false })
          : kind === "depthwise"
            ? net.depthwise(x, 2)
            : net.dense(net.globalMean(x), 3);
      const normed = net.norm(before);
      const graph = net.build(net.relu(normed));
      const folded = foldBatchNorm(graph);
      expect(ops(folded)).toEqual(ops(graph).filter((op) => op !== "batch_norm"));
      expect(folded.nodes.at(-2)!.outputs).toEqual([normed]);
      expect(folded.tensors.has(before)).toBe(false);
    },
  );

  test("two in a row fold into one convolution", async () => {
    const net = new Net(new Random(2));
    const graph = net.build(net.norm(net.norm(net.conv(net.input([4, 4, 2]), 3))));
    const folded = foldBatchNorm(graph);
    expect(ops(folded)).toEqual(["conv2d"]);
    expect(await difference(folded, graph, randomInputs(graph, 2))).toBeLessThan(FOLDED);
  });

  test("a result that someone else reads, and shared weights, are left as they are", async () => {
    const net = new Net(new Random(3));
    const x = net.input([4, 4, 3]);
    const y = net.conv(x, 3);
    const w = net.weight([3, 3, 3, 3]);
    const twice = net.norm(net.conv(net.conv(y, 3, 3, 1, { w }), 3, 3, 1, { w }));
    const graph = net.build(net.add(net.norm(y), y), twice);
    const folded = foldBatchNorm(graph);
    // The first batch norm cannot fold; the second gets weights of its own.
    expect(ops(folded).sort()).toEqual(["add", "add", "conv2d", "conv2d", "conv2d", "mul"]);
    expect(folded.tensors.get(w)!.data).toEqual(graph.tensors.get(w)!.data);
    expect(await difference(folded, graph, randomInputs(graph, 3))).toBeLessThan(FOLDED);
  });
});

describe("insertBatchNorm", () => {
  test("leaves the function, and folding takes it out again", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const graph = foldBatchNorm(randomNetwork(seed));
        const inputs = randomInputs(graph, seed, 4);
        const convs = graph.nodes.filter((n) => n.op === "conv2d" || n.op === "dense").map((n) => n.outputs[0]!);
        const seen = await new ReferenceExecutor(graph).observe(inputs, convs);
        const stats = new Map(
          convs.map((name) => [name, statistics(seen.get(name)!.data as Float32Array, seen.get(name)!.shape.at(-1)!)]),
        );
        const inserted = insertBatchNorm(graph, stats);
        expect(inserted.nodes.filter((n) => n.op === "batch_norm").length).toBe(convs.length);
        expect(await difference(inserted, graph, inputs)).toBeLessThan(FOLDED);
        const folded = foldBatchNorm(inserted);
        expect(folded.nodes.map((n: Node) => [n.name, n.op, n.outputs])).toEqual(
          graph.nodes.map((n) => [n.name, n.op, n.outputs]),
        );
        expect(await difference(folded, graph, inputs)).toBeLessThan(FOLDED);
      }),
      { numRuns: 20 },
    );
  });
});

function statistics(data: Float32Array, c: number): { mean: Float32Array; variance: Float32Array } {
  const mean = new Float64Array(c);
  const variance = new Float64Array(c);
  const rows = data.length / c;
  data.forEach((v, i) => (mean[i % c]! += v / rows));
  data.forEach((v, i) => (variance[i % c]! += (v - mean[i % c]!) ** 2 / rows));
  return { mean: Float32Array.from(mean), variance: Float32Array.from(variance) };
}

describe("foldConstants", () => {
  test("evaluates what depends on constants alone", async () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [1, 4], batchAxis: 0 });
    const c = b.constant("c", "f32", [2, 2], new Float32Array([1, -2, 3, 4]));
    const flat = b.node("reshape", [b.node("relu", [c])[0]!], { shape: [4] })[0]!;
    b.output(b.node("add", [x, flat])[0]!, "y");
    const graph = b.build();
    const folded = foldConstants(graph);
    expect(ops(folded)).toEqual(["add"]);
    expect([...folded.tensors.keys()].sort()).toEqual([flat, "x", graph.outputs[0]!.tensor].sort());
    expect([...(folded.tensors.get(flat)!.data as Float32Array)]).toEqual([1, 0, 3, 4]);
    expect(await difference(folded, graph, randomInputs(graph, 1))).toBe(0);
  });

  test("a graph without such nodes is returned as it is", () => {
    const graph = randomNetwork(9);
    expect(foldConstants(graph)).toBe(graph);
  });
});

describe("removeDeadNodes", () => {
  test("drops what no output needs, keeps inputs and order", () => {
    const net = new Net(new Random(5));
    const x = net.input([4, 4, 2]);
    const unused = net.input([3], "unused");
    const y = net.relu(x);
    net.dense(net.relu(unused), 2);
    net.conv(y, 3);
    const graph = net.build(net.globalMean(y));
    const live = removeDeadNodes(graph);
    expect(ops(live)).toEqual(["relu", "reduce_mean"]);
    expect(live.inputs).toEqual(graph.inputs);
    expect([...live.tensors.values()].some((t) => t.data)).toBe(false);
    expect(removeDeadNodes(live)).toBe(live);
    expect(equalGraphs(live, graph)).toBeNull();
  });
});
