import { describe, expect, test } from "vitest";
import { getCriterion } from "../../src/analyzer/criterion-registry.js";
import { measureFlow } from "../../src/analyzer/flow.js";
import { weightSlices } from "../../src/analyzer/group-weights.js";
import { scoreGroups, tensorsFor } from "../../src/analyzer/scores.js";
import { evaluate } from "../../src/host/evaluate.js";
import { lossGradients } from "../../src/host/gradients.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { analyzeCoupling } from "../../src/model/coupling.js";
import { withConstants } from "../../src/model/graph.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { noise, splitOf } from "./support.js";

/** dense 2 -> 3, relu, dense 3 -> 2, with these weights and no bias. */
function perceptron(first: readonly number[], second: readonly number[]): Graph {
  const b = new GraphBuilder("perceptron");
  const x = b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
  const w1 = b.constant("w1", "f32", [2, 3], Float32Array.from(first));
  const w2 = b.constant("w2", "f32", [3, 2], Float32Array.from(second));
  const hidden = b.node("relu", b.node("dense", [x, w1]))[0]!;
  b.output(b.node("dense", [hidden, w2])[0]!, "y");
  return b.build();
}

const first = [1, 0, -2, 2, 3, 0]; // columns (1, 2), (0, 3), (-2, 0)
const second = [1, -1, 0.5, 2, 4, 0]; // rows (1, -1), (0.5, 2), (4, 0)

describe("criteria for groups, by hand", () => {
  const graph = perceptron(first, second);
  const { groups } = analyzeCoupling(graph);
  const hidden = groups.filter((g) => g.atoms.length === 3);

  test("slices: the column that makes a channel and the row that reads it", () => {
    const [group] = hidden;
    const seen = weightSlices(graph, group!).map((s) => {
      const at: number[] = [];
      s.each((i) => at.push((graph.tensors.get(s.tensor)!.data as Float32Array)[i]!));
      return { atom: s.atom, side: s.side, values: at };
    });
    for (const atom of group!.atoms) {
      const channel = atom.members.find((m) => m.tensor === "w2")!.indices[0]!;
      const own = seen.filter((s) => s.atom === atom.id);
      expect(own.find((s) => s.side === "out")!.values).toEqual([first[channel], first[channel + 3]]);
      expect(own.find((s) => s.side === "in")!.values).toEqual([second[2 * channel], second[2 * channel + 1]]);
    }
  });

  test("group norm: mean of the slices' sums of squares", () => {
    const [scored] = scoreGroups(graph, hidden, getCriterion("group-norm"), {
      flow: null,
      seed: 1,
      normaliser: "none",
    });
    expect([...scored!.scores]).toEqual([(5 + 2) / 2, (9 + 4.25) / 2, (4 + 16) / 2]);
  });

  test("wanda: the readers' weights times what they read", async () => {
    const criterion = getCriterion("wanda");
    const data = splitOf(
      [
        [1, 1],
        [-1, 0],
      ],
      [2],
    );
    // hidden values: (3, 3, 0) and (0, 0, 2)
    const flow = await measureFlow(graph, new ReferenceExecutor(graph), data, {
      tensors: tensorsFor(graph, criterion),
    });
    const [scored] = scoreGroups(graph, hidden, criterion, { flow, seed: 1, normaliser: "none" });
    const want = [2 * Math.sqrt(4.5), 2.5 * Math.sqrt(4.5), 4 * Math.sqrt(2)];
    [...scored!.scores].forEach((s, i) => expect(s).toBeCloseTo(want[i]!, 10));
  });

  test("taylor: weights times the gradients given", () => {
    const gradients = new Map([
      ["w1", Float32Array.of(1, 1, 1, 1, 1, 1)],
      ["w2", Float32Array.of(0, 2, 0, -2, 0, 2)],
    ]);
    const [scored] = scoreGroups(graph, hidden, getCriterion("taylor"), {
      flow: null,
      gradients,
      seed: 1,
      normaliser: "none",
    });
    expect([...scored!.scores]).toEqual([(3 + 2) / 2, (3 + 4) / 2, (2 + 0) / 2]);
  });
});

describe("gradients of the loss", () => {
  test.each(["reference", "wasm"] as const)("equal finite differences of the mean loss, on %s", async (executor) => {
    const net = new Net(new Random(5));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.norm(net.conv(net.input([4, 4, 2]), 4)))), 3));
    const raw = noise(40, [4, 4, 2]);
    const labels = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 3);
    const data = { ...raw, labels, classes: 3 };
    const gradients = await lossGradients(graph, data, { executor });
    expect([...gradients.keys()].length).toBeGreaterThan(3);
    for (const [name, gradient] of gradients) {
      const values = graph.tensors.get(name)!.data as Float32Array;
      const at = (Math.floor(values.length / 2) + 1) % values.length;
      const loss = async (delta: number): Promise<number> => {
        const moved = Float32Array.from(values);
        moved[at]! += delta;
        return (await evaluate(withConstants(graph, new Map([[name, moved]])), data, { executor: "reference" })).loss;
      };
      // The central difference is off by h²/6 of the third derivative; the loss itself is an f32, known to 6e-8.
      const h = 1 / 64;
      const difference = ((await loss(h)) - (await loss(-h))) / (2 * h);
      expect(Math.abs(gradient[at]! - difference)).toBeLessThan(2e-4 + 2e-2 * Math.abs(difference));
    }
  });

  test("without labels there is nothing to differentiate", async () => {
    const net = new Net(new Random(5));
    const graph = net.build(net.dense(net.globalMean(net.relu(net.conv(net.input([4, 4, 2]), 4))), 3));
    await expect(lossGradients(graph, noise(4, [4, 4, 2]))).rejects.toThrowError(
      expect.objectContaining({ code: "E_LABELS", hint: expect.stringContaining("divergence") }),
    );
  });
});
