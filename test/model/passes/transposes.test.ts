import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../../src/model/builder.js";
import { equalGraphs } from "../../../src/model/equal.js";
import { cancelTransposes, canonicalise, foldConstants } from "../../../src/model/passes/index.js";
import { Random } from "../../../src/model/random.js";
import type { Graph } from "../../../src/model/types.js";
import { difference } from "../../support/difference.js";
import { exportNchw } from "../../support/nchw.js";
import { Net, randomInputs, randomNetwork } from "../../support/networks.js";

const count = (graph: Graph, op: string): number => graph.nodes.filter((n) => n.op === op).length;

describe("networks exported from NCHW", () => {
  test("keep one transpose, at the input, and otherwise are the NHWC network again", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100_000 }), async (seed) => {
        const nhwc = randomNetwork(seed);
        const wrapped = exportNchw(nhwc);
        const moved = cancelTransposes(wrapped);
        expect(await difference(moved, wrapped, randomInputs(wrapped, seed))).toBeLessThan(2 ** -22);
        // One that moves no element (a single channel) is a reshape.
        expect(moved.nodes[0]!.op).toMatch(/^(transpose|reshape)$/);
        expect(count(moved, "transpose")).toBe(moved.nodes[0]!.op === "transpose" ? 1 : 0);
        // With the interface transposed back, node by node and bit by bit the network it was exported from.
        expect(equalGraphs(withNhwcInput(moved), nhwc)).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  test("an image as output keeps one transpose at that end too", () => {
    const net = new Net(new Random(3));
    const x = net.input([6, 6, 3]);
    const graph = net.build(net.relu(net.add(net.conv(x, 4), net.conv(x, 4, 1))));
    const moved = cancelTransposes(exportNchw(graph));
    expect(count(moved, "transpose")).toBe(2);
    expect(moved.nodes[0]!.op).toBe("transpose");
    expect(moved.nodes.at(-1)!.op).toBe("transpose");
  });

  test("element-wise work on the input runs behind the transpose", () => {
    const net = new Net(new Random(4));
    const x = net.input([6, 6, 3]);
    const scaled = net.op("add", [net.op("mul", [x, net.weight([3])]), net.weight([3])]);
    const padded = net.op("pad", [scaled], { before: [0, 1, 1, 0], after: [0, 0, 0, 0], value: 0 });
    const graph = net.build(net.globalMean(net.conv(padded, 4)));
    const moved = cancelTransposes(foldConstants(exportNchw(graph)));
    expect(moved.nodes.map((n) => n.op)).toEqual(["transpose", "mul", "add", "pad", "conv2d", "reduce_mean"]);
    expect(moved.nodes[3]!.attrs).toMatchObject({ before: [0, 1, 1, 0] });
  });
});

/** Replaces the single input transpose by an NHWC input, to compare with the network before its export. */
function withNhwcInput(graph: Graph): Graph {
  const transpose = graph.nodes[0]!;
  const [tensor] = transpose.outputs as [string];
  const port = graph.inputs.find((p) => p.tensor === transpose.inputs[0])!;
  const inputs = graph.inputs.map((p) => (p === port ? { ...p, tensor } : p));
  const tensors = new Map(graph.tensors);
  tensors.delete(port.tensor);
  return { ...graph, inputs, tensors, nodes: graph.nodes.filter((n) => n !== transpose) };
}

/** Random graphs with transposes anywhere: only the function has to stay. */
function scrambled(seed: number): Graph {
  const random = new Random(seed);
  const b = new GraphBuilder(`scrambled-${seed}`);
  const shape = [1, 2 + random.int(2), 1 + random.int(3), 1 + random.int(3)];
  const pool = [b.input("x", { dtype: "f32", shape, batchAxis: 0 })];
  const pick = (): string => pool[random.int(pool.length)]!;
  const value = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal());
  for (let i = 0; i < 14; i++) {
    const x = pick();
    const t = b.typeOf(x);
    const rank = t.shape.length;
    const axis = random.int(rank);
    const free = t.shape.map((_, k) => k).filter((k) => k !== t.batchAxis);
    const inner = free[random.int(free.length)];
    const add = (op: string, inputs: string[], attrs: Record<string, unknown>): void => {
      pool.push(b.node(op, inputs, attrs)[0]!);
    };
    const last = t.shape[rank - 1]!;
    const other = t.shape.map((_, k) => k).filter((k) => k !== inner && k !== t.batchAxis)[0];
    switch (random.int(25)) {
      case 0:
      case 1:
      case 2:
        add("transpose", [x], { perm: random.shuffle(t.shape.map((_, k) => k)) });
        break;
      case 3:
        add("relu", [x], {});
        break;
      case 4: {
        if (t.batchAxis !== rank - 1) {
          const n = random.next() < 0.5 ? last : 1;
          add("mul", [x, b.constant("m", "f32", n === 1 ? [] : [n], value(n))], {});
        }
        break;
      }
      case 5: {
        const y = pool.find(
          (p) => p !== x && `${b.typeOf(p).shape}|${b.typeOf(p).batchAxis}` === `${t.shape}|${t.batchAxis}`,
        );
        if (y) add("add", [x, y], {});
        break;
      }
      case 6: {
        const wide = t.shape.map((d, k) => (k === t.batchAxis ? 1 : d));
        add("add", [x, b.constant("w", "f32", wide, value(wide.reduce((p, q) => p * q, 1)))], {});
        break;
      }
      case 7:
        if (inner !== undefined) add("concat", [x, x], { axis: inner });
        break;
      case 8:
        if (inner !== undefined && rank > 2) add("reduce_sum", [x], { axes: [inner], keepDims: random.next() < 0.5 });
        break;
      case 9:
        add("pad", [x], {
          before: t.shape.map((_, k) => (k === inner ? 1 : 0)),
          after: t.shape.map((_, k) => (k === axis && k !== t.batchAxis ? 1 : 0)),
          value: 0.5,
        });
        break;
      case 10:
        if (inner !== undefined) add("softmax", [x], { axis: inner });
        break;
      case 11:
        if (t.batchAxis !== rank - 1)
          add("prelu", [b.node("sub", [x, x])[0]!, b.constant("s", "f32", [last], value(last))], {});
        break;
      case 12: {
        if (t.batchAxis === rank - 1) break;
        const above = b.node("greater", [x, b.constant("t", "f32", [last], value(last))])[0]!;
        add("select", [above, b.node("gelu", [x], { approximate: "tanh" })[0]!, b.node("max", [x, x])[0]!], {});
        break;
      }
      case 13:
        if (inner !== undefined && rank > 2) {
          const best = b.node("arg_reduce", [x], { axis: inner, keepDims: random.next() < 0.5, kind: "max" })[0]!;
          add("cast", [best], { to: "f32" });
        }
        break;
      case 14:
        if (inner !== undefined) add("cumsum", [x], { axis: inner, exclusive: false, reverse: random.next() < 0.5 });
        break;
      case 15:
        if (inner !== undefined) {
          const n = 1 + random.int(t.shape[inner]!);
          const [values, places] = b.node("top_k", [x], { axis: inner, k: n, largest: true }) as [string, string];
          add("add", [values, b.node("cast", [places], { to: "f32" })[0]!], {});
        }
        break;
      case 16:
        if (inner !== undefined && rank < 5) {
          const counts = [[], [2], [1, 2]][random.int(3)]!;
          const index = Int32Array.from({ length: counts.reduce((p, q) => p * q, 1) }, () =>
            random.int(t.shape[inner]!),
          );
          if (rank + counts.length > 2) add("gather", [x, b.constant("i", "i32", counts, index)], { axis: inner });
        }
        break;
      case 17:
        if (inner !== undefined && b.typeOf(x).shape.reduce((p, q) => p * q, 1) < 200) {
          add("tile", [x], { repeats: t.shape.map((_, k) => (k === inner ? 2 : 1)) });
        }
        break;
      case 18:
        if (t.batchAxis === 0 && rank > 1) {
          const from = 1 + random.int(rank - 1);
          const scale = t.shape.slice(from);
          const gamma = b.constant("g", "f32", scale, value(scale.reduce((p, q) => p * q, 1)));
          add("layer_norm", [x, gamma], { axis: from, epsilon: 0.1 });
          add("group_norm", [x], { groups: 1, epsilon: 0.1 });
        }
        break;
      case 19:
        if (inner !== undefined) {
          const scale = t.shape.map((_, k) => k).filter((k) => k === inner);
          const scales = scale.flatMap((k) => Array.from({ length: t.shape[k]! }, () => 0.05 + random.next()));
          add("fake_quantize", [x], { dtype: "i8", scale: scales, zeroPoint: [3], axis: inner });
        }
        break;
      case 20:
        if (inner !== undefined && other !== undefined && rank > 2 && t.shape[inner]! * t.shape[other]! < 64) {
          // Products of the last two axes with themselves, transposed in between.
          const batch = t.batchAxis;
          if (batch === null || batch < rank - 2) {
            const swap = t.shape.map((_, k) => (k < rank - 2 ? k : 2 * rank - 3 - k));
            const y = b.node("transpose", [x], { perm: swap })[0]!;
            add("matmul", random.next() < 0.5 ? [x, y] : [y, x], { transposeA: false, transposeB: false });
          }
        }
        break;
      case 21:
        // An axis of extent 1 more, or one less.
        if (rank < 5 && t.batchAxis !== null) {
          const target = t.shape.map((d, k) => (k === t.batchAxis ? -1 : d));
          if (inner !== undefined && t.shape[inner] === 1 && rank > 2) target.splice(inner, 1);
          else target.splice(axis, 0, 1);
          add("reshape", [x], { shape: target });
        }
        break;
      case 22:
      case 23: {
        // Two axes joined, or one split.
        const target = t.shape.map((d, k) => (k === t.batchAxis ? -1 : d));
        const next = axis + 1;
        if (axis === t.batchAxis || t.batchAxis === null) break;
        if (next < rank && next !== t.batchAxis && rank > 2) target.splice(axis, 2, t.shape[axis]! * t.shape[next]!);
        else if (t.shape[axis]! % 2 === 0 && rank < 5) target.splice(axis, 1, 2, t.shape[axis]! / 2);
        else break;
        add("reshape", [x], { shape: target });
        break;
      }
      default:
        if (t.batchAxis === 0 && rank > 1) {
          const k = t.shape.slice(1).reduce((p, q) => p * q, 1);
          const flat = b.node("reshape", [x], { shape: [-1, k] })[0]!;
          const y = random.next() < 0.5 ? flat : b.node("relu", [flat], {})[0]!;
          pool.push(y);
          const w = b.constant("d", "f32", [k, 3], value(3 * k));
          pool.push(b.node("dense", [y, w], {})[0]!);
        }
    }
  }
  [...new Set([pool.at(-1), pool[pool.length >> 1]!])].forEach((tensor, i) => b.output(tensor, `y${i}`));
  return b.build();
}

describe("graphs with transposes anywhere", () => {
  test("compute the same after the pass", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
        const graph = scrambled(seed);
        const moved = cancelTransposes(graph);
        expect(await difference(moved, graph, randomInputs(graph, seed, 3))).toBeLessThan(2 ** -22);
      }),
      { numRuns: 300 },
    );
  });

  test("have a lean form that is its own lean form", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
        const lean = canonicalise(scrambled(seed));
        expect(canonicalise(lean)).toBe(lean);
      }),
      { numRuns: 100 },
    );
  });
});

test("a graph without transposes is returned as it is", () => {
  const graph = randomNetwork(5);
  expect(cancelTransposes(graph)).toBe(graph);
});

test("an inverse pair leaves nothing", () => {
  const b = new GraphBuilder("pair");
  const x = b.input("x", { dtype: "f32", shape: [1, 2, 3, 4], batchAxis: 0 });
  const there = b.node("transpose", [x], { perm: [0, 3, 1, 2] })[0]!;
  const back = b.node("transpose", [there], { perm: [0, 2, 3, 1] })[0]!;
  b.output(b.node("relu", [back])[0]!, "y");
  expect(cancelTransposes(b.build()).nodes.map((n) => n.op)).toEqual(["relu"]);
});

describe("what transposes pass", () => {
  const build = (shape: readonly number[], write: (b: GraphBuilder, x: string) => string): Graph => {
    const b = new GraphBuilder("g");
    b.output(write(b, b.input("x", { dtype: "f32", shape: [1, ...shape], batchAxis: 0 })), "y");
    return b.build();
  };
  const leaves = async (graph: Graph, ops: readonly string[]): Promise<void> => {
    const moved = cancelTransposes(graph);
    expect(moved.nodes.map((n) => n.op)).toEqual(ops);
    expect(await difference(moved, graph, randomInputs(graph, 1, 2))).toBeLessThan(2 ** -22);
  };
  const node = (b: GraphBuilder, op: string, x: string, attrs: Record<string, unknown>): string =>
    b.node(op, [x], attrs)[0]!;

  test("a convolution over one axis, exported with an axis of extent 1 in between", async () => {
    const graph = build([7, 4], (b, x) => {
      const turned = node(b, "transpose", node(b, "relu", x, {}), { perm: [0, 2, 1] });
      const image = node(b, "reshape", turned, { shape: [-1, 4, 7, 1] });
      return node(b, "neg", node(b, "transpose", image, { perm: [0, 2, 3, 1] }), {});
    });
    await leaves(graph, ["relu", "reshape", "neg", "reshape"]);
  });

  test("scales that the source states behind a transpose move with it, or hold it where it is", () => {
    const quant = { dtype: "i8", scale: [0.5], zeroPoint: [0], axis: null } as const;
    const graphOf = (shared: boolean): Graph =>
      build([2, 3], (b, x) => {
        const y = node(b, "relu", x, {});
        const turned = node(b, "transpose", y, { perm: [0, 2, 1] });
        b.annotate(turned, quant);
        const z = node(b, "transpose", node(b, "neg", turned, {}), { perm: [0, 2, 1] });
        return shared ? b.node("add", [z, y])[0]! : z;
      });
    const moved = cancelTransposes(graphOf(false));
    expect(moved.nodes.map((n) => n.op)).toEqual(["relu", "neg"]);
    expect(moved.tensors.get(moved.nodes[0]!.outputs[0]!)!.quant).toEqual(quant);
    const held = cancelTransposes(graphOf(true));
    const scaled = [...held.tensors.values()].filter((t) => t.quant);
    expect(held.nodes.map((n) => n.op).slice(0, 3)).toEqual(["relu", "transpose", "neg"]);
    expect(scaled.map((t) => t.name)).toEqual([held.nodes[1]!.outputs[0]]);
  });

  test("the heads of an attention block, into the product that takes them transposed", async () => {
    const graph = build([5, 12], (b, x) => {
      const heads = (t: string): string =>
        node(b, "transpose", node(b, "reshape", t, { shape: [-1, 5, 3, 4] }), { perm: [0, 2, 1, 3] });
      const keys = node(b, "transpose", heads(node(b, "tanh", x, {})), { perm: [0, 1, 3, 2] });
      return b.node("matmul", [heads(x), keys], { transposeA: false, transposeB: false })[0]!;
    });
    await leaves(graph, ["tanh", "reshape", "reshape", "transpose", "transpose", "matmul"]);
    expect(cancelTransposes(graph).nodes.at(-1)!.attrs).toEqual({ transposeA: false, transposeB: true });
  });
});
