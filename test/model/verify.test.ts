import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../src/model/builder.js";
import { IdapError } from "../../src/model/errors.js";
import { Random } from "../../src/model/random.js";
import type { Graph, Node, Tensor } from "../../src/model/types.js";
import { inferTypes, verify } from "../../src/model/verify.js";
import { Net, randomNetwork } from "../support/networks.js";

function small(): Graph {
  const net = new Net(new Random(1));
  const y = net.builder.node(
    "conv2d",
    [net.input([4, 4, 3]), net.weight([3, 3, 3, 8]), net.weight([8])],
    {
      strides: [1, 1],
      dilations: [1, 1],
      pads: [1, 1, 1, 1],
      groups: 1,
    },
    { name: "stem", outputs: ["features"] },
  )[0]!;
  const r = net.builder.node("relu", [y], {}, { name: "act" })[0]!;
  return net.build(net.builder.node("reduce_mean", [r], { axes: [1, 2], keepDims: false }, { name: "pool" })[0]!);
}

const withNodes = (graph: Graph, change: (nodes: Node[]) => Node[]): Graph => ({
  ...graph,
  nodes: change([...graph.nodes]),
});
const withNode = (graph: Graph, name: string, change: Partial<Node>): Graph =>
  withNodes(graph, (nodes) => nodes.map((n) => (n.name === name ? { ...n, ...change } : n)));
const withTensor = (graph: Graph, name: string, change: Partial<Tensor>): Graph => {
  const tensors = new Map(graph.tensors);
  tensors.set(name, { ...tensors.get(name)!, ...change });
  return { ...graph, tensors };
};

test("random networks pass, and inferring again changes nothing", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const graph = randomNetwork(seed);
    expect(verify(graph)).toBe(graph);
    const again = inferTypes(graph);
    expect(new Map(again.tensors)).toEqual(new Map(graph.tensors));
  }
});

describe("each fault has its own message, with the node and its inputs", () => {
  const type = { dtype: "f32", shape: [1, 4, 4, 9], batchAxis: 0 } as const;
  const cases: [string, (g: Graph) => Graph, string, RegExp][] = [
    [
      "unknown operator",
      (g) => withNode(g, "act", { op: "wobble" }),
      "E_OP",
      /node "act" \(wobble of "features": f32 \[batch\*1, 4, 4, 8\]\).*"wobble"/,
    ],
    [
      "missing attribute",
      (g) => withNode(g, "stem", { attrs: { strides: [1, 1] } }),
      "E_ATTRS",
      /node "stem".*dilations/,
    ],
    [
      "misspelt attribute",
      (g) => withNode(g, "pool", { attrs: { axes: [1, 2], keepDims: false, keepdims: 1 } }),
      "E_ATTRS",
      /node "pool".*keepdims/,
    ],
    ["too few inputs", (g) => withNode(g, "stem", { inputs: ["x"] }), "E_ARITY", /node "stem".*\(x, w, b\?\), got 1/],
    ["too many inputs", (g) => withNode(g, "act", { inputs: ["x", "x"] }), "E_ARITY", /node "act"/],
    ["unknown tensor", (g) => withNode(g, "act", { inputs: ["nowhere"] }), "E_TENSOR", /node "act".*"nowhere"/],
    ["wrong order", (g) => withNodes(g, (n) => n.reverse()), "E_TENSOR", /node "pool".*does not exist before it/],
    ["two nodes of one name", (g) => withNode(g, "act", { name: "stem" }), "E_NAME", /"stem"/],
    [
      "an output written twice",
      (g) => withNode(g, "act", { outputs: ["features"] }),
      "E_NAME",
      /node "act".*"features"/,
    ],
    ["an output that is no tensor", (g) => withNode(g, "act", { outputs: ["lost"] }), "E_TENSOR", /node "act".*"lost"/],
    [
      "a stale type",
      (g) => withTensor(g, "features", { type }),
      "E_TYPE",
      /node "stem".*stored as f32 \[batch\*1, 4, 4, 9\]/,
    ],
    [
      "a constant of another length",
      (g) => withTensor(g, "c0", { data: new Float32Array(3) }),
      "E_CONSTANT",
      /"c0".*3 values/,
    ],
    [
      "a constant of another class",
      (g) => withTensor(g, "c1", { data: new Int32Array(8) }),
      "E_CONSTANT",
      /"c1".*Int32Array/,
    ],
    [
      "a cut on one side",
      (g) =>
        withTensor(g, "c0", {
          type: { dtype: "f32", shape: [3, 3, 2, 8], batchAxis: null },
          data: new Float32Array(144),
        }),
      "E_CHANNELS",
      /node "stem".*3 channels/,
    ],
    [
      "a tensor of no one",
      (g) => ({ ...g, tensors: new Map(g.tensors).set("stray", { name: "stray", type }) }),
      "E_DANGLING",
      /"stray"/,
    ],
    [
      "an extent of 0",
      (g) => withTensor(g, "features", { type: { ...type, shape: [1, 0, 4, 8] } }),
      "E_SHAPE",
      /"features"/,
    ],
    ["a port of no tensor", (g) => ({ ...g, outputs: [{ name: "y", tensor: "gone" }] }), "E_TENSOR", /"y".*"gone"/],
    ["no outputs", (g) => ({ ...g, outputs: [] }), "E_OUTPUTS", /no outputs/],
    ["two inputs of one name", (g) => ({ ...g, inputs: [...g.inputs, ...g.inputs] }), "E_NAME", /"x"/],
    [
      "a batch axis out of range",
      (g) => withTensor(g, "x", { type: { dtype: "f32", shape: [1, 4, 4, 3], batchAxis: 4 } }),
      "E_BATCH",
      /"x"/,
    ],
  ];
  test.each(cases)("%s", (_title, damage, code, message) => {
    let error: unknown;
    try {
      verify(damage(small()));
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(IdapError);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });
});

describe("builder", () => {
  test("reports a mistake where it is made", () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
    const w = b.constant("w", "f32", [4, 2], new Float32Array(8));
    expect(() => b.node("dense", [x, w], {}, { name: "head" })).toThrowError(
      expect.objectContaining({ code: "E_CHANNELS", message: expect.stringContaining('node "head"') }),
    );
    expect(() => b.constant("v", "f32", [3], new Float32Array(2))).toThrowError(
      expect.objectContaining({ code: "E_CONSTANT" }),
    );
    expect(() => b.output("nothing")).toThrowError(expect.objectContaining({ code: "E_TENSOR" }));
  });

  test("makes names unique", () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
    const names = [1, 2, 3].map(() => b.node("relu", [x], {}, { name: "act" })[0]!);
    expect(names).toEqual(["act", "act_1", "act_2"]);
    b.output(names[2]!, "y");
    expect(b.build().nodes.map((n) => n.name)).toEqual(names);
  });
});
