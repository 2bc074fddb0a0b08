import { describe, expect, test } from "vitest";
import { getCriterion } from "../../src/analyzer/criterion-registry.js";
import type { LayerCriterion, Normaliser } from "../../src/analyzer/criterion.js";
import { producersOf } from "../../src/analyzer/producers.js";
import { scoreGroups, scoreProducers } from "../../src/analyzer/scores.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { analyzeCoupling } from "../../src/model/coupling.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import type { Split } from "../../src/model/dataset.js";
import { Net } from "../support/networks.js";
import { flowOf, noise, splitOf } from "./support.js";

const layerCriterion = (name: string): LayerCriterion => {
  const found = getCriterion(name);
  if (!("score" in found)) throw new Error(`${name} scores groups`);
  return found;
};

async function scores(
  graph: Graph,
  data: Split,
  criterion = "divergence",
  normaliser?: Normaliser,
): Promise<number[][]> {
  const flow = await flowOf(graph, data);
  const all = scoreProducers(graph, producersOf(graph), layerCriterion(criterion), {
    flow,
    seed: 1,
    ...(normaliser && { normaliser }),
  });
  return [...all.values()].map((s) => [...s]);
}

/** conv 1x1 of one input channel with two filters, on 2x2 images. */
function twoFilters(w: [number, number], bias: [number, number], relu: boolean): Graph {
  const b = new GraphBuilder("two");
  const x = b.input("x", { dtype: "f32", shape: [1, 2, 2, 1], batchAxis: 0 });
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
  const y = b.node(
    "conv2d",
    [
      x,
      b.constant("w", "f32", [1, 1, 1, 2], Float32Array.from(w)),
      b.constant("b", "f32", [2], Float32Array.from(bias)),
    ],
    conv,
  )[0]!;
  b.output(relu ? b.node("relu", [y])[0]! : y, "y");
  return b.build();
}

describe("scores by hand", () => {
  test("the faithful score of the paper's code, two samples", async () => {
    // Raw outputs: channel 0 (3,-1,0,4) then (0,0,0,0); channel 1 (1,1,1,1) then (-1,2,2,-1); kernels 2 and 3.
    // One input channel cannot give both channels, so the input has two and the kernels are diagonal.
    const b = new GraphBuilder("vector");
    const x = b.input("x", { dtype: "f32", shape: [1, 2, 2, 2], batchAxis: 0 });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
    const w = b.constant("w", "f32", [1, 1, 2, 2], Float32Array.of(2, 0, 0, 3));
    b.output(b.node("conv2d", [x, w], attrs)[0]!, "y");
    const raw = [
      [3, 1, -1, 1, 0, 1, 4, 1],
      [0, -1, 0, 2, 0, 2, 0, -1],
    ];
    const data = splitOf(
      raw.map((s) => s.map((v, i) => v / (i % 2 === 0 ? 2 : 3))),
      [2, 2, 2],
    );
    const [s] = await scores(b.build(), data, "faithful");
    expect(s![0]).toBeCloseTo(0.625, 6);
    expect(s![1]).toBeCloseTo(0.90533, 5);
  });

  test("one sample: the closed form E‖act‖ ‖W‖ / (C P)", async () => {
    const data = splitOf([[1, 2, 3, 4]], [2, 2, 1]);
    const norm = Math.sqrt(1 + 4 + 9 + 16);
    const [s] = await scores(twoFilters([2, -3], [0, 0], false), data);
    expect(s![0]).toBeCloseTo((2 * norm * 2) / 8, 10);
    expect(s![1]).toBeCloseTo((3 * norm * 3) / 8, 10);
  });

  test("the real activation counts: relu silences the filter that is always negative", async () => {
    const data = splitOf([[1, 2, 3, 4]], [2, 2, 1]);
    const [s] = await scores(twoFilters([2, -3], [0, 0], true), data);
    expect(s![0]).toBeGreaterThan(0);
    expect(s![1]).toBe(0);
  });

  test("a filter without weights scores 0 whatever its bias", async () => {
    const [s] = await scores(twoFilters([2, 0], [0, 7], true), splitOf([[1, 2, 3, 4]], [2, 2, 1]));
    expect(s![1]).toBe(0);
  });

  test("a fully connected unit is the case of one position: E|h| ‖W‖ / C", async () => {
    const b = new GraphBuilder("dense");
    const x = b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
    const w = b.constant("w", "f32", [2, 2], Float32Array.of(3, 1, 4, 0));
    b.output(b.node("dense", [x, w])[0]!, "y");
    const [s] = await scores(
      b.build(),
      splitOf(
        [
          [1, 1],
          [-1, 2],
        ],
        [2],
      ),
    );
    // Column 0 is (3, 4): outputs 7 and 5, norm 5. Column 1 is (1, 0): outputs 1 and -1, norm 1.
    expect(s).toEqual([(6 * 5) / 2, (1 * 1) / 2]);
  });

  test("the mean is over samples of norms, not the norm of everything", async () => {
    const [s] = await scores(
      twoFilters([1, 1], [0, 0], false),
      splitOf(
        [
          [3, 0, 0, 0],
          [0, 0, 0, 5],
        ],
        [2, 2, 1],
      ),
    );
    expect(s![0]).toBeCloseTo(4 / 8, 10);
  });

  test("normalisers: none leaves the product, cp divides by channels times positions", async () => {
    const data = splitOf([[1, 2, 3, 4]], [2, 2, 1]);
    const graph = twoFilters([2, 3], [0, 0], false);
    const [none] = await scores(graph, data, "divergence", "none");
    const [cp] = await scores(graph, data, "divergence", "cp");
    expect(none!.map((v) => v / 8)).toEqual(cp);
  });
});

/** conv (no bias) → batch norm → relu, with the conv scaled by a and gamma divided so that the function is the same. */
function normed(scale: number, padded = true): Graph {
  const net = new Net(new Random(5));
  const x = net.input([4, 4, 2]);
  const c = net.builder;
  const random = new Random(9);
  const weights = Float32Array.from({ length: 9 * 2 * 6 }, () => scale * random.normal());
  const w = c.constant("w", "f32", [3, 3, 2, 6], weights);
  const p = padded ? 1 : 0;
  const y = net.op("conv2d", [x, w], { strides: [1, 1], dilations: [1, 1], pads: [p, p, p, p], groups: 1 });
  const vector = (name: string, f: (i: number) => number): string =>
    c.constant(
      name,
      "f32",
      [6],
      Float32Array.from({ length: 6 }, (_, i) => f(i)),
    );
  const z = net.op(
    "batch_norm",
    [
      y,
      vector("gamma", (i) => (i + 1) / scale),
      vector("beta", (i) => i - 2),
      vector("mean", (i) => scale * i),
      vector("var", () => 1),
    ],
    { epsilon: 0 },
  );
  return net.build(net.dense(net.globalMean(net.relu(z)), 3));
}

describe("folding", () => {
  test("scaling a convolution against its batch norm leaves every score unchanged", async () => {
    const data = noise(5, [4, 4, 2]);
    const [one] = await scores(normed(1), data);
    const [big] = await scores(normed(64), data);
    // A power of two scales without rounding in f32; only gamma's quotient is rounded.
    one!.forEach((v, c) => expect(Math.abs(big![c]! - v)).toBeLessThanOrEqual(4 * 2 ** -24 * v));
  });

  test("the faithful score does change: that is why folding is the default", async () => {
    const data = noise(5, [4, 4, 2]);
    const [one] = await scores(normed(1), data, "faithful");
    const [big] = await scores(normed(64), data, "faithful");
    expect(big![0]! / one![0]!).toBeCloseTo(64 * 64, 3);
  });
});

describe("groups", () => {
  test("every member of a residual stream votes", async () => {
    const net = new Net(new Random(3));
    const stem = net.conv(net.input([4, 4, 3]), 5, 3, 1);
    const branch = net.conv(net.relu(net.conv(stem, 4)), 5);
    const graph = net.build(net.dense(net.globalMean(net.relu(net.add(stem, branch))), 2));
    const flow = await flowOf(graph, noise(6, [4, 4, 3]));
    const groups = analyzeCoupling(graph).groups;
    const scored = scoreGroups(graph, groups, getCriterion("divergence"), { flow, seed: 1 });
    const each = scoreProducers(graph, producersOf(graph), layerCriterion("divergence"), { flow, seed: 1 });
    const stream = scored.find((g) => g.producers.length === 2)!;
    const [first, second] = stream.producers.map((p) => each.get(p)!);
    expect([...stream.scores]).toEqual([...first!].map((v, c) => v + second![c]!));
  });

  test("the group mean normaliser makes the mean of every group 1", async () => {
    const net = new Net(new Random(3));
    const graph = net.build(
      net.dense(net.globalMean(net.relu(net.conv(net.relu(net.conv(net.input([4, 4, 3]), 8)), 6))), 2),
    );
    const flow = await flowOf(graph, noise(4, [4, 4, 3]));
    for (const g of scoreGroups(graph, analyzeCoupling(graph).groups, getCriterion("l1"), { flow, seed: 1 })) {
      const free = [...g.scores].filter((v) => !Number.isNaN(v));
      expect(free.reduce((s, v) => s + v, 0) / free.length).toBeCloseTo(1, 12);
    }
  });

  test("random scores come from the seed alone", async () => {
    const net = new Net(new Random(3));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(net.input([4, 4, 3]), 8))), 2));
    const { groups } = analyzeCoupling(graph);
    const draw = (seed: number): number[] =>
      scoreGroups(graph, groups, getCriterion("random"), { flow: null, seed }).flatMap((g) => [...g.scores]);
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test("an unknown criterion names those that exist", () => {
    expect(() => getCriterion("taste")).toThrowError(
      expect.objectContaining({ code: "E_CRITERION", hint: expect.stringContaining("divergence") }),
    );
  });
});
