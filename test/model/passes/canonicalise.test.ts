import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../../src/model/builder.js";
import {
  absorbChannelConstants,
  canonicalise,
  foldBatchNorm,
  foldConstants,
  mergeDuplicates,
  normaliseArithmetic,
  removeIdentities,
} from "../../../src/model/passes/index.js";
import { Random } from "../../../src/model/random.js";
import type { Attrs, Graph, Quantisation } from "../../../src/model/types.js";
import { difference } from "../../support/difference.js";
import { exportNchw } from "../../support/nchw.js";
import { Net, randomInputs, randomNetwork } from "../../support/networks.js";

const ops = (graph: Graph): string[] => graph.nodes.map((n) => n.op);
const count = (graph: Graph, op: string): number => ops(graph).filter((o) => o === op).length;

/** One rounding of a constant (2^-24) and one of the output. */
const ROUNDING = 2 ** -22;

describe("random networks", () => {
  test("compute the same in their lean form, which is its own lean form", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100_000 }), async (seed) => {
        const graph = randomNetwork(seed);
        for (const source of [graph, exportNchw(graph)]) {
          const lean = canonicalise(source);
          expect(lean.nodes.length).toBeLessThanOrEqual(source.nodes.length);
          expect(canonicalise(lean)).toBe(lean);
          expect(lean.inputs.map((p) => p.name)).toEqual(source.inputs.map((p) => p.name));
          expect(await difference(lean, source, randomInputs(source, seed, 3))).toBeLessThan(ROUNDING);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("activations spelled out between convolutions that were exported from NCHW leave nothing between them", () => {
    const net = new Net(new Random(1));
    const number = (v: number): string => net.builder.constant("n", "f32", [], Float32Array.of(v));
    let x = net.conv(net.input([6, 6, 3]), 4);
    x = net.op("div", [net.op("mul", [x, net.op("relu6", [net.op("add", [x, number(3)])])]), number(6)]);
    x = net.conv(x, 4);
    x = net.conv(net.op("mul", [x, net.op("sigmoid", [x])]), 4);
    const lean = canonicalise(exportNchw(net.build(net.globalMean(x))));
    expect(ops(lean)).toEqual(["transpose", "conv2d", "hard_swish", "conv2d", "silu", "conv2d", "reduce_mean"]);
  });
});

/** A graph of one input [batch, 4, 6] and one node. */
function single(op: string, operands: readonly (readonly number[])[], attrs: Attrs = {}): Graph {
  const b = new GraphBuilder("single");
  const x = b.node("relu", [b.input("x", { dtype: "f32", shape: [1, 4, 6, 1], batchAxis: 0 })])[0]!;
  const constants = operands.map((v) => b.constant("c", "f32", v.length === 1 ? [] : [v.length], Float32Array.from(v)));
  b.output(b.node("neg", [b.node(op, [x, ...constants], attrs)[0]!])[0]!, "y");
  return b.build();
}

const rank4 = [0, 0, 0, 0];
const half = { sizes: [4, 6], mode: "linear", coordinates: "half_pixel" };

describe("removeIdentities", () => {
  test.each<[string, readonly (readonly number[])[], Attrs]>([
    ["cast", [], { to: "f32" }],
    ["reshape", [], { shape: [-1, 4, 6, 1] }],
    ["broadcast_to", [], { shape: [-1, 4, 6, 1] }],
    ["transpose", [], { perm: [0, 1, 2, 3] }],
    ["slice", [], { begin: rank4, size: [-1, 4, 6, 1] }],
    ["slice", [], { begin: rank4, size: [-1, 4, 6, -1], steps: [1, 1, 1, 1] }],
    ["pad", [], { before: rank4, after: rank4, value: 1 }],
    ["tile", [], { repeats: [1, 1, 1, 1] }],
    ["concat", [], { axis: 1 }],
    ["clip", [], { min: null, max: null }],
    ["add", [[0]], {}],
    ["mul", [[1]], {}],
    ["sub", [[0]], {}],
    ["div", [[1]], {}],
    ["pow", [[1]], {}],
    ["resize", [], half],
    ["max_pool2d", [], { kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] }],
    ["reduce_mean", [], { axes: [3], keepDims: true }],
    ["relu", [], {}],
  ])("takes out %s %j %j", async (op, operands, attrs) => {
    const graph = single(op, operands, attrs);
    const lean = removeIdentities(graph);
    expect(ops(lean)).toEqual(["relu", "neg"]);
    expect(removeIdentities(lean)).toBe(lean);
    for (const batch of [1, 2]) expect(await difference(lean, graph, randomInputs(graph, 1, batch))).toBe(0);
  });

  test.each<[string, readonly (readonly number[])[], Attrs]>([
    ["cast", [], { to: "i32" }],
    ["reshape", [], { shape: [-1, 6, 4, 1] }],
    ["transpose", [], { perm: [0, 2, 1, 3] }],
    ["slice", [], { begin: [0, 3, 0, 0], size: [-1, 4, 6, 1], steps: [1, -1, 1, 1] }],
    ["slice", [], { begin: [0, 1, 0, 0], size: [-1, 3, 6, 1] }],
    ["pad", [], { before: rank4, after: [0, 1, 0, 0], value: 0 }],
    ["clip", [], { min: null, max: 1 }],
    ["add", [[0.5]], {}],
    ["mul", [[1, 1]], {}],
    ["resize", [], { ...half, coordinates: "tf_half_pixel_for_nn", mode: "nearest" }],
    ["resize", [], { ...half, scales: [1.1, 1] }],
    ["max_pool2d", [], { kernel: [1, 1], strides: [2, 1], pads: [0, 0, 0, 0] }],
    ["reduce_mean", [], { axes: [2], keepDims: true }],
    ["relu6", [], {}],
  ])("leaves %s %j %j", (op, operands, attrs) => {
    if (op === "cast") {
      const b = new GraphBuilder("cast");
      b.output(b.node("cast", [b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 })], attrs)[0]!, "y");
      const graph = b.build();
      expect(removeIdentities(graph)).toBe(graph);
    } else {
      const graph = single(op, operands, attrs);
      expect(removeIdentities(graph)).toBe(graph);
    }
  });

  test("a rectifier of what has nothing below 0 goes, however far up that is decided; no other does", async () => {
    const pool = { kernel: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0] };
    const chain = (first: string, last: string): Graph => {
      const net = new Net(new Random(2));
      const pooled = net.op("max_pool2d", [net.op(first, [net.input([4, 4, 3])])], pool);
      return net.build(net.globalMean(net.op("neg", [net.op(last, [pooled])])));
    };
    for (const [first, last] of [
      ["relu6", "relu"],
      ["sigmoid", "relu"],
    ] as const) {
      const lean = removeIdentities(chain(first, last));
      expect(count(lean, "relu")).toBe(0);
      expect(await difference(lean, chain(first, last), randomInputs(lean, 3, 2))).toBe(0);
    }
    for (const [first, last] of [
      ["tanh", "relu"],
      ["relu", "relu6"],
    ] as const) {
      const graph = chain(first, last);
      expect(removeIdentities(graph)).toBe(graph);
    }
  });

  test("two ports stay two tensors, a port is never an input, and its name stays", () => {
    const b = new GraphBuilder("ports");
    const x = b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
    const copy = (t: string): string => b.node("cast", [t], { to: "f32" })[0]!;
    const y = b.node("relu", [x])[0]!;
    b.output(copy(x), "input");
    b.output(copy(y), "first");
    b.output(copy(y), "second");
    const lean = removeIdentities(b.build());
    expect(ops(lean)).toEqual(["relu", "cast", "cast"]);
    expect(lean.outputs.map((p) => p.name)).toEqual(["input", "first", "second"]);
    expect(new Set(lean.outputs.map((p) => p.tensor)).size).toBe(3);
  });

  test("what a quantised source rounds to another scale stays", () => {
    const quant = (scale: number): Quantisation => ({ dtype: "i8", scale: [scale], zeroPoint: [0], axis: null });
    const graphOf = (scale: number): Graph => {
      const b = new GraphBuilder("quantised");
      const y = b.node("relu", [b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 })])[0]!;
      const z = b.node("reshape", [y], { shape: [-1, 2] })[0]!;
      b.annotate(y, quant(0.5));
      b.annotate(z, quant(scale));
      b.output(b.node("neg", [z])[0]!);
      return b.build();
    };
    expect(ops(removeIdentities(graphOf(0.5)))).toEqual(["relu", "neg"]);
    expect(ops(removeIdentities(graphOf(0.25)))).toEqual(["relu", "reshape", "neg"]);
  });
});

describe("mergeDuplicates", () => {
  function twice(other: (b: GraphBuilder, x: string) => string): Graph {
    const b = new GraphBuilder("twice");
    const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
    const two = b.constant("two", "f32", [], Float32Array.of(2));
    const first = b.node("relu", [b.node("mul", [x, two])[0]!])[0]!;
    b.output(b.node("sub", [first, b.node("relu", [other(b, x)])[0]!])[0]!, "y");
    return b.build();
  }
  const times = (value: number) => (b: GraphBuilder, x: string) => {
    return b.node("mul", [x, b.constant("c", "f32", [], Float32Array.of(value))])[0]!;
  };

  test("the same operators on the same operands become one, with equal numbers too", async () => {
    const graph = twice(times(2));
    const lean = mergeDuplicates(graph);
    expect(ops(lean)).toEqual(["mul", "relu", "sub"]);
    expect(mergeDuplicates(lean)).toBe(lean);
    expect(await difference(lean, graph, randomInputs(graph, 1))).toBe(0);
  });

  test("others stay: another number, another operand, another scale", () => {
    const scaled = twice((b, x) => {
      const y = times(2)(b, x);
      b.annotate(y, { dtype: "i8", scale: [1], zeroPoint: [0], axis: null });
      return y;
    });
    for (const graph of [twice(times(3)), twice((b, x) => times(2)(b, b.node("neg", [x])[0]!)), scaled]) {
      expect(mergeDuplicates(graph)).toBe(graph);
    }
  });

  test("two ports that are equal keep a tensor each; one of them takes the tensor of the other node", () => {
    const b = new GraphBuilder("ports");
    const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
    const [p, q, r] = [0, 1, 2].map(() => b.node("relu", [x])[0]!) as [string, string, string];
    b.output(b.node("neg", [p])[0]!, "n");
    b.output(q, "q");
    b.output(r, "r");
    const lean = mergeDuplicates(b.build());
    expect(ops(lean)).toEqual(["relu", "relu", "neg"]);
    expect(lean.outputs.map((o) => o.name)).toEqual(["n", "q", "r"]);
    expect(new Set(lean.outputs.map((o) => o.tensor)).size).toBe(3);
  });
});

describe("normaliseArithmetic", () => {
  const binary = (op: string, c: readonly number[], last = "neg", swap = false): Graph => {
    const b = new GraphBuilder("binary");
    const x = b.node("exp", [b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 })])[0]!;
    const constant = b.constant("c", "f32", c.length === 1 ? [] : [c.length], Float32Array.from(c));
    b.output(b.node(last, [b.node(op, swap ? [constant, x] : [x, constant])[0]!])[0]!, "y");
    return b.build();
  };

  test.each<[string, string, readonly number[], boolean]>([
    ["mul", "div", [3], false],
    ["mul", "div", [2, -0.5, 7], false],
    ["reciprocal", "div", [1], true],
    ["add", "sub", [0.3], false],
    ["mul", "pow", [2], false],
    ["sqrt", "pow", [0.5], false],
    ["rsqrt", "pow", [-0.5], false],
    ["reciprocal", "pow", [-1], false],
  ])("%s for %s of %j", async (wanted, op, c, swap) => {
    const graph = binary(op, c, "neg", swap);
    const lean = normaliseArithmetic(graph);
    expect(ops(lean)).toEqual(["exp", wanted, "neg"]);
    expect(normaliseArithmetic(lean)).toBe(lean);
    expect(await difference(lean, graph, randomInputs(graph, 1))).toBeLessThan(ROUNDING);
  });

  test("what would change is left: by 0, another power, a quotient in front of a jump", () => {
    for (const graph of [
      binary("div", [0]),
      binary("div", [1, 0, 2]),
      binary("pow", [2.5]),
      binary("div", [3], "floor"),
      binary("sub", [3], "neg", true),
    ]) {
      expect(normaliseArithmetic(graph)).toBe(graph);
    }
    // Half of a number is exact, so that no step is missed.
    expect(ops(normaliseArithmetic(binary("div", [2], "floor")))).toEqual(["exp", "mul", "floor"]);
  });

  test("1 / sqrt(x) is rsqrt, unless the root is used", () => {
    const rooted = (used: boolean): Graph => {
      const b = new GraphBuilder("rooted");
      const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
      const root = b.node("sqrt", [b.node("exp", [x])[0]!])[0]!;
      const y = b.node("div", [b.constant("one", "f32", [], Float32Array.of(1)), root])[0]!;
      b.output(used ? b.node("add", [y, root])[0]! : y, "y");
      return b.build();
    };
    expect(ops(canonicalise(rooted(false)))).toEqual(["exp", "rsqrt"]);
    expect(ops(canonicalise(rooted(true)))).toEqual(["exp", "sqrt", "reciprocal", "add"]);
  });

  test("of two reshapes the last remains, where the first is of no other use", () => {
    const b = new GraphBuilder("reshapes");
    const x = b.input("x", { dtype: "f32", shape: [1, 3, 4], batchAxis: 0 });
    const flat = b.node("reshape", [x], { shape: [-1, 12] })[0]!;
    b.output(b.node("reshape", [flat], { shape: [-1, 4, 3] })[0]!, "y");
    expect(ops(normaliseArithmetic(b.build()))).toEqual(["reshape"]);
    b.output(flat, "z");
    expect(ops(normaliseArithmetic(b.build()))).toEqual(["reshape", "reshape"]);
  });
});

describe("absorbChannelConstants", () => {
  type Kind = "conv" | "depthwise" | "dense";
  const layer = (net: Net, kind: Kind): string => {
    const x = net.input([5, 5, 4]);
    if (kind === "conv") return net.conv(x, 6, 3, 1, { bias: false });
    return kind === "depthwise" ? net.depthwise(x, 2) : net.dense(net.globalMean(x), 3);
  };

  test.each<Kind>(["conv", "depthwise", "dense"])(
    "%s: sums are bias, products a batch norm that folds",
    async (kind) => {
      const net = new Net(new Random(4));
      const y = layer(net, kind);
      const c = net.channels(y);
      const minus = net.op("sub", [y, net.weight([c])]);
      const scaled = net.op("div", [net.op("mul", [net.positive(c), minus]), net.positive(1)]);
      const graph = net.build(net.relu(net.op("add", [net.weight([1, 1, c].slice(kind === "dense" ? 1 : 0)), scaled])));
      const lean = canonicalise(graph);
      expect(ops(lean)).toEqual([...ops(graph).slice(0, kind === "dense" ? 2 : 1), "batch_norm", "relu"]);
      expect(await difference(lean, graph, randomInputs(graph, 4, 3))).toBeLessThan(4 * ROUNDING);
      const folded = foldBatchNorm(lean);
      expect(count(folded, "batch_norm")).toBe(0);
      expect(await difference(folded, graph, randomInputs(graph, 4, 3))).toBeLessThan(4 * ROUNDING);
      expect(canonicalise(lean)).toBe(lean);
    },
  );

  test("through a reshape that keeps the channels", async () => {
    const net = new Net(new Random(6));
    const y = net.op("reshape", [net.conv(net.input([5, 1, 4]), 6, 1)], { shape: [-1, 5, 6] });
    const graph = net.build(net.relu(net.op("add", [net.op("mul", [y, net.weight([6])]), net.weight([1, 6])])));
    const lean = canonicalise(graph);
    expect(ops(lean)).toEqual(["conv2d", "batch_norm", "relu", "reshape"]);
    expect(await difference(lean, graph, randomInputs(graph, 6, 3))).toBeLessThan(4 * ROUNDING);
    expect(canonicalise(lean)).toBe(lean);
  });

  test("what is not of each channel, not behind a layer, or used elsewhere stays", () => {
    const graphOf = (write: (net: Net, x: string) => string[]): Graph => {
      const net = new Net(new Random(5));
      return net.build(...write(net, net.input([4, 4, 3])));
    };
    const cases = [
      graphOf((net, x) => [net.op("mul", [x, net.weight([3])])]),
      graphOf((net, x) => [net.op("mul", [net.conv(x, 4), net.weight([4, 1])])]),
      graphOf((net, x) => [net.op("add", [net.conv(x, 4), net.weight([4, 1])])]),
      graphOf((net, x) => {
        const y = net.conv(x, 4);
        return [net.op("mul", [y, net.weight([4])]), net.relu(y)];
      }),
      graphOf((net, x) => [net.op("add", [net.norm(net.relu(x)), net.weight([3])])]),
    ];
    for (const graph of cases) expect(absorbChannelConstants(graph)).toBe(graph);
  });
});

describe("foldConstants", () => {
  test("moves weights as they are and leaves what would grow out of proportion", () => {
    const b = new GraphBuilder("weights");
    const x = b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
    const w = b.constant("w", "f32", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
    const turned = b.node("transpose", [w], { perm: [1, 0] })[0]!;
    const huge = b.node("tile", [b.constant("one", "f32", [1], Float32Array.of(1))], { repeats: [2 ** 23] })[0]!;
    b.output(b.node("dense", [x, turned])[0]!, "y");
    b.output(b.node("reduce_sum", [huge], { axes: [0], keepDims: true })[0]!, "z");
    const lean = foldConstants(b.build());
    expect(ops(lean)).toEqual(["tile", "dense", "reduce_sum"]);
    expect([...lean.tensors.get(turned)!.data!]).toEqual([1, 3, 5, 2, 4, 6]);
  });
});
