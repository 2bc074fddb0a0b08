import { describe, expect, test } from "vitest";
import { measureFlow } from "../../src/analyzer/flow.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { cutAtoms } from "../../src/model/cut.js";
import { Random } from "../../src/model/random.js";
import { allChannels, keptAfter, matchingOf, matchPoints } from "../../src/pruner/match.js";
import { inputOf } from "../../src/analyzer/flow.js";
import { noise } from "../analyzer/support.js";
import { groupOf } from "../support/coupling.js";
import { Net } from "../support/networks.js";

function residual() {
  const net = new Net(new Random(4));
  const x = net.relu(net.conv(net.input([6, 6, 3]), 8));
  const sum = net.relu(net.add(x, net.conv(net.relu(net.conv(x, 4)), 8)));
  return { graph: net.build(net.dense(net.globalMean(sum), 3)), x, sum };
}

describe("match points", () => {
  test("are the results of residual additions, behind their activation", () => {
    const { graph, sum } = residual();
    expect(matchPoints(graph)).toEqual([sum]);
  });

  test("in a plain chain they are layers, at most eight, never the scores", () => {
    const net = new Net(new Random(4));
    let x = net.input([6, 6, 3]);
    for (let i = 0; i < 12; i++) x = net.relu(net.conv(x, 4));
    const scores = net.dense(net.globalMean(x), 3);
    const points = matchPoints(net.build(scores));
    expect(points).toHaveLength(8);
    expect(points).toContain(x);
    expect(points).not.toContain(scores);
  });
});

describe("matching after cuts", () => {
  test("two cuts in a row: kept channels are counted in the dense network, and the teacher gives exactly these", async () => {
    const { graph, sum } = residual();
    const data = noise(3, [6, 6, 3]);
    const first = [{ group: groupOf(graph, sum, -1), atoms: [1, 6] }];
    const once = cutAtoms(graph, first);
    const second = [{ group: groupOf(once, sum, -1), atoms: [0, 3] }];
    const twice = cutAtoms(once, second);
    const kept = keptAfter(keptAfter(allChannels(graph, [sum]), first), second);
    // 0..7 without 1 and 6 is 0 2 3 4 5 7; of these the positions 0 and 3 go.
    expect(kept).toEqual({ [sum]: [2, 3, 5, 7] });

    const flow = await measureFlow(graph, new ReferenceExecutor(graph), data, { tensors: [sum] });
    const { teacher, pairs, factors } = matchingOf(graph, twice, kept, flow);
    expect(pairs).toHaveLength(1);
    const [[student, taught]] = pairs as [[string, string]];
    expect(student).toBe(sum);
    const seen = await new ReferenceExecutor(teacher).observe(inputOf(graph, data, 0, 3), [sum, taught]);
    const all = seen.get(sum)!.data as Float32Array;
    const picked = seen.get(taught)!.data as Float32Array;
    const expected = Array.from({ length: picked.length }, (_, i) => all[Math.floor(i / 4) * 8 + [2, 3, 5, 7][i % 4]!]);
    expect([...picked]).toEqual(expected);
    // In units of the mean square the teacher itself has size 1.
    const meanSquare = picked.reduce((s, v) => s + v * v, 0) / picked.length;
    expect(meanSquare * factors[0]!).toBeCloseTo(1, 6);
  });

  test("a tensor that was removed with its unit is left out", async () => {
    const { graph, sum } = residual();
    const flow = await measureFlow(graph, new ReferenceExecutor(graph), noise(2, [6, 6, 3]), { tensors: [sum] });
    const tensors = new Map(graph.tensors);
    tensors.delete(sum);
    expect(matchingOf(graph, { ...graph, tensors }, allChannels(graph, [sum]), flow).pairs).toEqual([]);
  });
});
