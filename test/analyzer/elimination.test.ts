import { describe, expect, test } from "vitest";
import { getCriterion } from "../../src/analyzer/criterion-registry.js";
import { Elimination, inverseOf } from "../../src/analyzer/elimination.js";
import { measureMoments } from "../../src/analyzer/moments.js";
import { scoreGroups } from "../../src/analyzer/scores.js";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { withConstants } from "../../src/model/graph.js";
import { Random } from "../../src/model/random.js";
import { NormalEquations } from "../../src/pruner/least-squares.js";
import { groupOf } from "../support/coupling.js";
import { Net } from "../support/networks.js";
import { noise } from "./support.js";

const ENTRIES = 5; // four inputs and the constant
const OUTPUTS = 3;
const ROWS = 200;

/** Correlated inputs with a constant, and weights of a layer that reads them. */
function draw() {
  const random = new Random(4);
  const rows = Array.from({ length: ROWS }, () => {
    const base = random.normal();
    return [base, base + 0.3 * random.normal(), random.normal() + 1, 0.5 * random.normal() - base, 1];
  });
  const gram = new Float64Array(ENTRIES * ENTRIES);
  for (const a of rows) a.forEach((v, i) => a.forEach((w, j) => (gram[i * ENTRIES + j]! += (v * w) / ROWS)));
  const weights = Float32Array.from({ length: (ENTRIES - 1) * OUTPUTS }, () => random.normal());
  return { rows, gram, weights };
}

describe("taking inputs away from a linear layer", () => {
  test("costs what a least-squares fit of the rest leaves", () => {
    const { rows, gram, weights } = draw();
    const elimination = new Elimination({ size: ENTRIES, gram }, weights, OUTPUTS);
    const gone: number[] = [];
    let lost = 0;
    for (const entries of [[1], [0, 3]]) {
      lost += elimination.loss(entries);
      elimination.remove(entries);
      gone.push(...entries);
      const left = Array.from({ length: ENTRIES }, (_, i) => i).filter((i) => !gone.includes(i));
      const outputs = rows.map((a) =>
        Float64Array.from({ length: OUTPUTS }, (_, o) =>
          a.slice(0, -1).reduce((s, v, i) => s + v * weights[i * OUTPUTS + o]!, 0),
        ),
      );
      const equations = new NormalEquations(left.length, OUTPUTS);
      const inputs = rows.map((a) => Float64Array.from(left, (i) => a[i]!));
      inputs.forEach((a, r) => equations.add(a, outputs[r]!));
      const fit = equations.solve(0);
      let error = 0;
      inputs.forEach((a, r) =>
        outputs[r]!.forEach((y, o) => {
          error += (y - a.reduce((s, v, i) => s + v * fit[i * OUTPUTS + o]!, 0)) ** 2 / ROWS;
        }),
      );
      // They differ by the ridge: 1e-4 of the mean diagonal beside conditional variances of a tenth and less.
      expect(Math.abs(lost / error - 1)).toBeLessThan(1e-2);
    }
  });

  test("the inverse of a symmetric positive matrix", () => {
    const { gram } = draw();
    const inverse = inverseOf(gram, ENTRIES);
    for (let i = 0; i < ENTRIES; i++)
      for (let j = 0; j < ENTRIES; j++) {
        let s = 0;
        for (let k = 0; k < ENTRIES; k++) s += gram[i * ENTRIES + k]! * inverse[k * ENTRIES + j]!;
        expect(s).toBeCloseTo(i === j ? 1 : 0, 10);
      }
  });
});

test("a constant channel costs nothing, nor does one of two that are alike; the second costs what both are worth", async () => {
  const net = new Net(new Random(8));
  const x = net.relu(net.conv(net.input([6, 6, 3]), 6));
  const built = net.build(net.dense(net.globalMean(net.relu(net.conv(x, 5, 1))), 3));
  const [, w, b] = built.nodes.find((n) => n.name === "conv2d_0")!.inputs as [string, string, string];
  const weights = Float32Array.from(built.tensors.get(w)!.data as Float32Array);
  const bias = Float32Array.from(built.tensors.get(b)!.data as Float32Array);
  for (let i = 0; i < weights.length; i += 6) {
    weights[i + 2] = 0;
    weights[i + 4] = weights[i + 1]!;
  }
  bias[2] = 0.7;
  bias[4] = bias[1]!;
  const graph = withConstants(
    built,
    new Map([
      [w, weights],
      [b, bias],
    ]),
  );
  const moments = await measureMoments(graph, new ReferenceExecutor(graph), noise(24, [6, 6, 3]), 1);
  const group = groupOf(graph, x, -1);
  const [scored] = scoreGroups(graph, [group], getCriterion("reconstruction"), { flow: null, moments, seed: 1 });
  const of = (channel: number): number => {
    const atom = group.atoms.find((a) => a.members.some((m) => m.tensor === x && m.indices[0] === channel))!;
    return scored!.scores[atom.id]!;
  };
  const others = [0, 3, 5].map(of);
  expect(of(2)).toBeLessThan(1e-3);
  expect(Math.min(of(1), of(4))).toBeLessThan(1e-3);
  expect(Math.max(of(1), of(4))).toBeGreaterThan(1e-2);
  expect(Math.min(...others)).toBeGreaterThan(1e-2);
});
