import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { equalGraphs } from "../../src/model/equal.js";
import {
  consumersOf,
  countParameters,
  parameterNames,
  producerOf,
  renameTensors,
  sortNodes,
  withConstants,
} from "../../src/model/graph.js";
import { GraphPatch } from "../../src/model/patch.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { verify } from "../../src/model/verify.js";
import { difference } from "../support/difference.js";
import { Net, randomInputs, randomNetwork } from "../support/networks.js";

const seeds = fc.integer({ min: 1, max: 100_000 });

function shuffled(graph: Graph, seed: number): Graph {
  const known = new Set([...graph.tensors.values()].filter((t) => t.data).map((t) => t.name));
  for (const p of graph.inputs) known.add(p.tensor);
  return verify({ ...graph, nodes: sortNodes(new Random(seed).shuffle([...graph.nodes]), known) });
}

describe("equality", () => {
  test("does not see names and order", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const graph = randomNetwork(seed);
        const names = new Map([...graph.tensors.keys()].map((name, i) => [name, `t${i}`]));
        const renamed = shuffled(renameTensors(graph, names), seed);
        const other = { ...renamed, name: "other", nodes: renamed.nodes.map((n, i) => ({ ...n, name: `n${i}` })) };
        expect(equalGraphs(verify(other), graph)).toBeNull();
        expect(equalGraphs(graph, other)).toBeNull();
      }),
      { numRuns: 25 },
    );
  });

  test("sees one changed weight, attribute, operator or connection", () => {
    const graph = randomNetwork(7);
    const [name] = parameterNames(graph);
    const data = (graph.tensors.get(name!)!.data as Float32Array).slice();
    data[0]! += 1;
    expect(equalGraphs(withConstants(graph, new Map([[name!, data]])), graph)).toMatch(/constants differ/);
    const change = (op: string, attrs: object, to = op): Graph => ({
      ...graph,
      nodes: graph.nodes.map((n) => (n.op === op ? { ...n, op: to, attrs: { ...n.attrs, ...attrs } } : n)),
    });
    expect(equalGraphs(change("conv2d", { groups: 7 }), graph)).toMatch(/conv2d/);
    expect(equalGraphs(change("relu", {}, "relu6"), graph)).toMatch(/relu6 against relu/);
    const net = (crossed: boolean): Graph => {
      const n = new Net(new Random(1));
      const a = n.relu(n.input([3], "a"));
      const b = n.op("sigmoid", [n.input([3], "b")]);
      return n.build(crossed ? n.add(b, a) : n.add(a, b));
    };
    expect(equalGraphs(net(true), net(false))).not.toBeNull();
    const shared = (once: boolean): Graph => {
      const n = new Net(new Random(1));
      const x = n.input([3]);
      const y = n.relu(x);
      return n.build(n.add(y, once ? y : n.relu(x)));
    };
    expect(equalGraphs(shared(true), shared(false))).toMatch(/stands for two/);
    expect(equalGraphs(shared(false), shared(true))).toMatch(/stands for two/);
  });
});

describe("queries", () => {
  test("producers and consumers are two views of the same edges", () => {
    const graph = randomNetwork(11);
    const consumers = consumersOf(graph);
    for (const [tensor, node] of producerOf(graph)) expect(node.outputs).toContain(tensor);
    let edges = 0;
    for (const [tensor, nodes] of consumers) {
      for (const node of nodes) expect(node.inputs).toContain(tensor);
      edges += nodes.length;
    }
    expect(edges).toBe(graph.nodes.reduce((n, node) => n + new Set(node.inputs).size, 0));
  });

  test("parameters are weights, biases, gamma and beta, not statistics", () => {
    const net = new Net(new Random(1));
    const graph = net.build(net.norm(net.conv(net.input([4, 4, 2]), 5)));
    expect(countParameters(graph)).toBe(3 * 3 * 2 * 5 + 5 + 5 + 5);
  });

  test("constants can only be replaced by their like", () => {
    const graph = randomNetwork(2);
    const [name] = parameterNames(graph);
    expect(() => withConstants(graph, new Map([[name!, new Float32Array(1)]]))).toThrowError(
      expect.objectContaining({ code: "E_CONSTANT" }),
    );
    expect(() => withConstants(graph, new Map([["x", new Float32Array(1)]]))).toThrowError(
      expect.objectContaining({ code: "E_CONSTANT" }),
    );
  });

  test("a cycle is found and named", () => {
    const node = (name: string, input: string): Graph["nodes"][number] => ({
      name,
      op: "relu",
      inputs: [input],
      outputs: [name],
      attrs: {},
    });
    expect(() => sortNodes([node("a", "b"), node("b", "a")], new Set())).toThrowError(
      expect.objectContaining({ code: "E_CYCLE" }),
    );
  });
});

describe("patch", () => {
  test("puts a node between others and leaves the base alone", async () => {
    const graph = randomNetwork(8);
    const relu = graph.nodes.find((n) => n.op === "relu")!;
    const patch = new GraphPatch(graph);
    const one = patch.constant("one", [], new Float32Array([1]));
    patch.redirect(relu.outputs[0]!, patch.node("mul", [relu.outputs[0]!, one], {}, "scale")[0]!);
    const patched = patch.apply();
    expect(patched.nodes.length).toBe(graph.nodes.length + 1);
    expect(graph.tensors.has("one")).toBe(false);
    expect(await difference(patched, graph, randomInputs(graph, 8))).toBe(0);
  });

  test("a removed node whose output is still read is refused, with the reader's name", () => {
    const net = new Net(new Random(1));
    const y = net.relu(net.input([3]));
    const graph = net.build(net.op("sigmoid", [y]));
    const patch = new GraphPatch(graph);
    patch.remove(graph.nodes[0]!.name);
    expect(() => patch.apply()).toThrowError(
      expect.objectContaining({ code: "E_TENSOR", message: expect.stringContaining(graph.nodes[1]!.name) }),
    );
    patch.redirect(y, "x");
    expect(patch.apply().nodes.map((n) => n.op)).toEqual(["sigmoid"]);
  });
});
