import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { graphCost } from "../../src/analyzer/cost.js";
import { getCriterion } from "../../src/analyzer/criterion-registry.js";
import { producersOf } from "../../src/analyzer/producers.js";
import { scoreGroups, type GroupScores } from "../../src/analyzer/scores.js";
import { analyzeCoupling } from "../../src/model/coupling.js";
import { cutAtoms, type GroupCut } from "../../src/model/cut.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { firstSteps, planCut, prunableChannels, type PlanOptions } from "../../src/pruner/plan.js";
import { Net, randomNetwork } from "../support/networks.js";
import { profile } from "./support.js";

const optionsFor = (graph: Graph, more: Partial<PlanOptions> = {}): PlanOptions => ({
  channelMultiple: 4,
  minShare: 0.1,
  maxShareStep: 1,
  costUnit: "macs",
  profile,
  originalChannels: new Map(producersOf(graph).map((p) => [p.node.name, p.channels])),
  ...more,
});

const scored = (graph: Graph, criterion = "l1"): GroupScores[] =>
  scoreGroups(graph, analyzeCoupling(graph).groups, getCriterion(criterion), { flow: null, seed: 1 });

/** conv(3→a) → relu → conv(a→b) → relu → mean → dense. */
function chain(a: number, b: number, seed = 1): Graph {
  const net = new Net(new Random(seed));
  const x = net.relu(net.conv(net.relu(net.conv(net.input([8, 8, 3]), a)), b));
  return net.build(net.dense(net.globalMean(x), 4));
}

describe("plan of one iteration", () => {
  test("cuts whole tiles: every width it touches becomes a multiple of four", () => {
    const graph = chain(16, 22);
    const plan = planCut(graph, scored(graph), 9, optionsFor(graph));
    expect(plan.removed).toBeGreaterThan(0);
    for (const { width } of plan.ledger) expect(width[1] % 4).toBe(0);
    // 22 is no multiple: its first step is 2 channels.
    const odd = planCut(graph, scored(graph), 100, optionsFor(graph)).ledger.find((c) => c.width[0] === 22);
    expect(odd!.width[1] % 4).toBe(0);
  });

  test("keeps at least one tile and a tenth of the original width", () => {
    const graph = chain(48, 8);
    const all = planCut(graph, scored(graph), 1e6, optionsFor(graph, { minShare: 0.25 }));
    expect(all.ledger.map((c) => c.width)).toEqual(
      expect.arrayContaining([
        [48, 12],
        [8, 4],
      ]),
    );
    const again = cutAtoms(graph, all.cuts);
    // The floor refers to the dense network: nothing more can go although 12 and 4 are far above a quarter of 12 and 4.
    expect(planCut(again, scored(again), 1e6, optionsFor(graph, { minShare: 0.25 })).removed).toBe(0);
  });

  test("one iteration takes at most the given share of a group", () => {
    const graph = chain(32, 32);
    const plan = planCut(graph, scored(graph), 1e6, optionsFor(graph, { maxShareStep: 0.25 }));
    for (const { width } of plan.ledger) expect(width).toEqual([32, 24]);
  });

  test("takes the lowest scores of a group, and says so", () => {
    const graph = chain(16, 16);
    const scores = scored(graph);
    const plan = planCut(graph, scores, 4, optionsFor(graph));
    const [cut] = plan.ledger;
    const group = scores.find((s) => s.group.id === cut!.group)!;
    const lowest = [...group.scores]
      .map((s, i) => [s, i] as const)
      .sort((a, b) => a[0] - b[0])
      .slice(0, 4)
      .map(([, i]) => i);
    expect(new Set(cut!.channels)).toEqual(new Set(lowest));
    expect(cut!.scores).toEqual(cut!.channels.map((c) => group.scores[c]));
    expect(cut!.ranks).toEqual([1, 1, 1, 1]); // one step of four
  });

  test("price is score per MAC: of two groups with equal scores the dearer layer goes first", () => {
    const net = new Net(new Random(1));
    const wide = net.relu(net.conv(net.input([16, 16, 3]), 8));
    const small = net.relu(net.conv(wide, 8, 3, 4));
    const graph = net.build(net.dense(net.globalMean(small), 4));
    const equal = scored(graph).map((s) => ({ ...s, scores: s.scores.map((v) => (Number.isNaN(v) ? v : 1)) }));
    const plan = planCut(graph, equal, 4, optionsFor(graph));
    // Cutting the first convolution saves outputs at 16x16 and inputs of the second; the second only 4x4 outputs.
    expect(plan.ledger.map((c) => c.layers)).toEqual([["conv2d_0"]]);
  });

  test("a measured sensitivity turns the choice between groups, not the one inside a group", () => {
    const graph = chain(16, 16);
    const scores = scored(graph);
    const steps = firstSteps(graph, scores, optionsFor(graph));
    expect(steps).toHaveLength(2);
    for (const favourite of steps) {
      const sensitivity = new Map(steps.map((s) => [s.key, s === favourite ? 1e-9 : 1]));
      const plan = planCut(graph, scores, 4, optionsFor(graph, { sensitivity }));
      expect(plan.cuts).toEqual([favourite.cut]);
    }
  });

  test("dead channels go first and do not count against the schedule", () => {
    const graph = chain(16, 16);
    const dead = scored(graph).map((s, i) => ({
      ...s,
      scores: s.scores.map((v, a) => (i === 1 && a < 4 ? 0 : v)),
      dead: s.dead.map((_, a) => i === 1 && a < 4),
    }));
    const none = planCut(graph, dead, 0, optionsFor(graph));
    expect(none).toMatchObject({ removed: 4, dead: 4 });
    expect(none.ledger[0]!.channels).toEqual([0, 1, 2, 3]);
    const some = planCut(graph, dead, 4, optionsFor(graph));
    expect(some).toMatchObject({ removed: 8, dead: 4 });
  });

  test("ends with the step that makes the network small enough", () => {
    const graph = chain(48, 48);
    const scores = scored(graph);
    const whole = graphCost(graph).macs;
    const all = planCut(graph, scores, 60, optionsFor(graph));
    for (const share of [0.9, 0.75, 0.5]) {
      const enough = (g: Graph): boolean => graphCost(g).macs <= share * whole;
      const plan = planCut(graph, scores, 60, optionsFor(graph, { enough }));
      expect(enough(cutAtoms(graph, plan.cuts))).toBe(true);
      expect(plan.removed).toBeLessThan(all.removed);
    }
    // A target out of reach changes nothing.
    expect(planCut(graph, scores, 60, optionsFor(graph, { enough: () => false })).cuts).toEqual(all.cuts);
  });

  test("what the last step made needless is put back: a target is met as closely as single steps allow", () => {
    // Steps of the first layer are 12 times as dear as those of the second, and the ranking takes the second's first.
    const net = new Net(new Random(3));
    const wide = net.relu(net.conv(net.input([16, 16, 3]), 24));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(wide, 32, 3, 4))), 4));
    const scores = scored(graph).map((s, i) => ({ ...s, scores: s.scores.map((v) => (i === 0 ? 1 : 1e-3 * v)) }));
    const whole = graphCost(graph).macs;
    const costOf = (atoms: GroupCut[]): number => graphCost(cutAtoms(graph, atoms)).macs / whole;
    let putBack = 0;
    for (let share = 0.95; share > 0.3; share -= 0.05) {
      const enough = (g: Graph): boolean => graphCost(g).macs <= share * whole;
      const plan = planCut(graph, scores, 1e6, optionsFor(graph, { enough }));
      expect(costOf([...plan.cuts])).toBeLessThanOrEqual(share);
      // No group could have its last four back.
      plan.cuts.forEach(({ group, atoms }, i) => {
        const others = plan.cuts.filter((_, k) => k !== i);
        const fewer = atoms.length > 4 ? [{ group, atoms: atoms.slice(0, -4) }] : [];
        expect(costOf([...others, ...fewer])).toBeGreaterThan(share);
      });
      const ranks = plan.ledger.flatMap((c) => c.ranks);
      if (new Set(ranks).size < Math.max(...ranks)) putBack++;
    }
    expect(putBack).toBeGreaterThan(0);
  });

  test("where the last step goes far beyond the target, a cheaper ending is taken", () => {
    // By price the first layer's four come first; at this target they are 20 times as much as is needed.
    const net = new Net(new Random(3));
    const wide = net.relu(net.conv(net.input([16, 16, 3]), 24));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(wide, 32, 3, 4))), 4));
    const worth = (first: number): GroupScores[] =>
      scored(graph).map((s, i) => ({ ...s, scores: s.scores.map((v) => (Number.isNaN(v) ? v : i === 0 ? first : 1)) }));
    const whole = graphCost(graph).macs;
    const enough = (g: Graph): boolean => graphCost(g).macs <= 0.99 * whole;
    const layers = (scores: GroupScores[], more: Partial<PlanOptions>): unknown =>
      planCut(graph, scores, 1e6, optionsFor(graph, more)).ledger.map((c) => [c.layers[0], c.channels.length]);
    const [cheap, dear] = [worth(0.5), worth(2)];
    for (const scores of [cheap, dear])
      expect(planCut(graph, scores, 4, optionsFor(graph)).ledger[0]!.layers).toEqual(["conv2d_0"]);
    expect(layers(dear, { enough })).toEqual([["conv2d_2", 4]]);
    // Where it loses least, it stays, however far it goes.
    expect(layers(cheap, { enough })).toEqual([["conv2d_0", 4]]);
  });

  test("a score that is not a number means keep", () => {
    const graph = chain(16, 16);
    const unsure = scored(graph).map((s) => ({ ...s, scores: s.scores.map((v, a) => (a < 14 ? NaN : v)) }));
    expect(planCut(graph, unsure, 100, optionsFor(graph)).removed).toBe(0); // two free channels are no tile
  });

  test("concatenated layers keep widths of their own", () => {
    const net = new Net(new Random(1));
    const x = net.input([6, 6, 3]);
    const y = net.concat(net.relu(net.conv(x, 8)), net.relu(net.conv(x, 12)));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(y, 8))), 4));
    const plan = planCut(graph, scored(graph), 1e6, optionsFor(graph));
    expect(plan.ledger.map((c) => c.width[1])).toEqual([4, 4, 4]);
    expect(() => cutAtoms(graph, plan.cuts)).not.toThrow();
  });

  test("one seed, one plan", () => {
    const graph = chain(32, 32);
    const draw = (seed: number) =>
      planCut(
        graph,
        scoreGroups(graph, analyzeCoupling(graph).groups, getCriterion("random"), { flow: null, seed }),
        12,
        optionsFor(graph),
      ).ledger;
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  test("any network: the plan can be applied, stays above the floors and near the schedule", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 3 }), (seed, multiple) => {
        const graph = randomNetwork(seed);
        const scores = scored(graph);
        const count = Math.floor(0.4 * prunableChannels(scores));
        const plan = planCut(graph, scores, count, optionsFor(graph, { channelMultiple: multiple }));
        for (const { width } of plan.ledger) expect(width[1]).toBeGreaterThanOrEqual(1);
        expect(plan.removed - plan.dead).toBeLessThanOrEqual(count + multiple);
        if (plan.removed > 0) cutAtoms(graph, plan.cuts);
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});
