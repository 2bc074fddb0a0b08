/** Attention through the same criteria and units as filters: scores worked by hand, sublayers and blocks as branches. */
import { describe, expect, test } from "vitest";
import { getCriterion } from "../../src/analyzer/criterion-registry.js";
import { layerDivergence } from "../../src/analyzer/layer-divergence.js";
import { producersOf } from "../../src/analyzer/producers.js";
import { scoreGroups } from "../../src/analyzer/scores.js";
import { removableUnits } from "../../src/analyzer/units.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { analyzeCoupling } from "../../src/model/coupling.js";
import { removeUnit } from "../../src/pruner/remove-unit.js";
import { layersToNormalise } from "../../src/pruner/prepare.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { flowOf, splitOf } from "./support.js";

/** Weights of queries, keys and values of two heads of one feature each, from tokens of one feature. */
const WEIGHTS = { q: [0, 0], k: [3, 0], v: [1, 3] };

function twoHeads(packed: boolean): Graph {
  const b = new GraphBuilder("heads");
  const x = b.input("x", { dtype: "f32", shape: [1, 2, 1], batchAxis: 0 });
  const constant = (name: string, shape: number[], data: number[]): string =>
    b.constant(name, "f32", shape, Float32Array.from(data));
  let parts: string[];
  if (packed) {
    const all = b.node("dense", [x, constant("qkv", [1, 6], Object.values(WEIGHTS).flat())])[0]!;
    parts = [0, 2, 4].map((from) => b.node("slice", [all], { begin: [0, 0, from], size: [-1, 2, 2] })[0]!);
  } else {
    parts = Object.entries(WEIGHTS).map(([name, w]) => b.node("dense", [x, constant(name, [1, 2], w)])[0]!);
  }
  const y = b.node("attention", parts, { heads: 2, kvHeads: 2, scale: 1, causal: false })[0]!;
  b.output(b.node("dense", [y, constant("out", [2, 1], [1, 1])])[0]!, "y");
  return b.build();
}

/** Queries are 0, so every weight is 1/2 and a head gives the mean of its values to both tokens: 3 and 9. */
const TOKENS = splitOf([[2, 4]], [2, 1]);

async function headScores(graph: Graph, criterion: string, normaliser: "cp" | "none" = "none"): Promise<number[]> {
  const flow = await flowOf(graph, TOKENS);
  const scored = scoreGroups(graph, analyzeCoupling(graph).groups, getCriterion(criterion), {
    flow,
    seed: 1,
    normaliser,
  });
  expect(scored).toHaveLength(1);
  return [...scored[0]!.scores];
}

const close = (got: readonly number[], wanted: readonly number[]): void =>
  got.forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 10));

describe.each([false, true])("scores of heads by hand, packed: %s", (packed) => {
  const root = Math.SQRT2;

  test("divergence: ‖A‖_F times the norms of the head's slices of queries, keys and values", async () => {
    close(await headScores(twoHeads(packed), "divergence"), [3 * root * (0 + 3 + 1), 9 * root * (0 + 0 + 3)]);
  });

  test("by its own normaliser over heads and tokens", async () => {
    close(await headScores(twoHeads(packed), "divergence", "cp"), [(12 * root) / 4, (27 * root) / 4]);
  });

  test("its factors alone", async () => {
    close(await headScores(twoHeads(packed), "weight"), [4, 3]);
    const members = packed ? 1 : 3;
    close(await headScores(twoHeads(packed), "activation"), [members * 3 * root, members * 9 * root]);
  });

  test("other criteria see the same weights", async () => {
    close(await headScores(twoHeads(packed), "l1"), [0 + 3 + 1, 0 + 0 + 3]);
    close(await headScores(twoHeads(packed), "l2"), [0 + 9 + 1, 0 + 0 + 9]);
  });

  test("the layers' sum is the divergence of the attention: sum over heads of ‖A‖ ‖W‖ / n", async () => {
    const graph = twoHeads(packed);
    const flow = await flowOf(graph, TOKENS);
    const layers = producersOf(graph).filter((p) => p.heads);
    const sum = layers.reduce((s, p) => s + layerDivergence(graph, p, flow).frobenius, 0);
    expect(sum).toBeCloseTo((12 * root) / 2 + (27 * root) / 2, 10);
  });
});

test("token-wise units: tokens are positions, and the activation behind them counts", async () => {
  const b = new GraphBuilder("mlp");
  const x = b.input("x", { dtype: "f32", shape: [1, 2, 1], batchAxis: 0 });
  const up = b.node("dense", [x, b.constant("up", "f32", [1, 2], Float32Array.of(2, -1))])[0]!;
  const y = b.node("relu", [up])[0]!;
  b.output(b.node("dense", [y, b.constant("down", "f32", [2, 1], Float32Array.of(1, 1))])[0]!, "y");
  // Unit 0 gives (4, 8) with a weight of 2, unit 1 is negative on both tokens.
  close(await headScores(b.build(), "divergence", "cp"), [(Math.hypot(4, 8) * 2) / 4, 0]);
});

/** Two transformer blocks, normalised in front of their branches or behind. */
function transformer(front: boolean): { graph: Graph; sums: string[]; ends: string[] } {
  const b = new GraphBuilder("blocks");
  const random = new Random(4);
  const weight = (...shape: number[]): string =>
    b.constant(
      "w",
      "f32",
      shape,
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.normal()),
    );
  const dense = (x: string, from: number, to: number): string => b.node("dense", [x, weight(from, to)])[0]!;
  const norm = (x: string): string => b.node("layer_norm", [x, weight(8)], { axis: 2, epsilon: 1e-5 })[0]!;
  const [sums, ends]: [string[], string[]] = [[], []];
  const branch = (x: string, f: (x: string) => string): string => {
    const sum = b.node("add", [x, f(front ? norm(x) : x)])[0]!;
    sums.push(sum);
    return front ? sum : norm(sum);
  };
  let x = b.input("x", { dtype: "f32", shape: [1, 5, 8], batchAxis: 0 });
  if (!front) x = norm(x);
  for (let i = 0; i < 2; i++) {
    ends.push(x);
    x = branch(x, (h) => {
      const [q, k, v] = [0, 1, 2].map(() => dense(h, 8, 8)) as [string, string, string];
      return dense(b.node("attention", [q, k, v], { heads: 2, kvHeads: 2, scale: 0.5, causal: false })[0]!, 8, 8);
    });
    x = branch(x, (h) => dense(b.node("gelu", [dense(h, 8, 12)], { approximate: "none" })[0]!, 12, 8));
  }
  ends.push(x);
  b.output(b.node("dense", [b.node("reduce_mean", [x], { axes: [1], keepDims: false })[0]!, weight(8, 3)])[0]!, "y");
  return { graph: b.build(), sums, ends };
}

describe.each([true, false])("units of a transformer, normalised in front: %s", (front) => {
  const { graph, sums, ends } = transformer(front);
  const units = removableUnits(graph);

  test("every sublayer is a branch, every block one unit, and no projection a layer of its own", () => {
    expect(units.filter((u) => u.kind === "branch").map((u) => u.output)).toEqual(sums);
    expect(units.filter((u) => u.kind === "block").map((u) => [u.replacement, u.output])).toEqual([
      [ends[0], ends[1]],
      [ends[1], ends[2]],
    ]);
    expect(units.filter((u) => u.kind === "layer")).toEqual([]);
    const [first, second] = units;
    expect(units.find((u) => u.kind === "block")!.macs).toBe(first!.macs + second!.macs);
    expect(first!.macs).toBe(4 * 5 * 8 * 8 + 5 * 5 * 8 * 2);
  });

  test("without a block the rest is as it was", async () => {
    const block = units.filter((u) => u.kind === "block")[1]!;
    const without = removeUnit(graph, block);
    expect(without.nodes.filter((n) => n.op === "attention")).toHaveLength(1);
    const random = new Random(8);
    const x = {
      data: Float32Array.from({ length: 40 }, () => random.normal()),
      shape: [1, 5, 8],
      dtype: "f32" as const,
    };
    const seen = await new ReferenceExecutor(graph).observe({ x }, [block.replacement]);
    const again = await new ReferenceExecutor(without).observe({ x }, [block.replacement]);
    expect(again.get(block.replacement)).toEqual(seen.get(block.replacement));
  });

  test("layers that are normalised for each sample get no batch norm for recovery", () => {
    expect(layersToNormalise(graph).map((p) => p.node.name)).toEqual([]);
  });
});
