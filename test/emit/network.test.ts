/** The network operators in every emitted variant: within the bounds that their tolerances derive. */
import { expect, test } from "vitest";
import { moduleSource, planEmission } from "../../src/emit/index.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { bounds, graphOf, graphWithConstants, operandsOf, toRecord } from "../host/support.js";
import { networkCases } from "../support/op-cases/network.js";
import type { OpCase } from "../support/op-cases.js";
import { compileGraph } from "./support.js";

/** Largest share of its bound that an element of a result reaches, twice with other inputs. */
async function worstShare(c: OpCase, constants: readonly number[]): Promise<number> {
  const seed = 31;
  const graph = constants.length > 0 ? graphWithConstants(c, seed, constants) : graphOf(c);
  let worst = 0;
  for (const runner of await compileGraph(graph)) {
    for (const shift of [0, 100]) {
      // Constants keep their values; the others are drawn anew, in memory that the first run has used.
      const fixed = operandsOf(c, 1, seed);
      const values = operandsOf(c, 1, seed + shift).map((v, i) => (constants.includes(i) ? fixed[i]! : v));
      const exact = evaluateGraph(graphOf(c), new Map(values.map((v, i) => [`in${i}`, v])), 1);
      const expected = graphOf(c).outputs.map(({ tensor }) => exact.get(tensor)!);
      const allowed = bounds(c, values, expected, 1);
      const given = Object.fromEntries(Object.entries(toRecord(values)).filter((_, i) => !constants.includes(i)));
      const got = runner.run(given);
      graph.outputs.forEach(({ name }, k) => {
        (got[name]!.data as Float32Array).forEach((v, i) => {
          const error = Math.abs(v - expected[k]!.data[i]!);
          const share = error === 0 ? 0 : error / allowed[k]![i]!;
          if (!(share <= worst)) worst = share;
        });
      });
    }
  }
  return worst;
}

test.each(networkCases)("$op, $title", async (c) => {
  expect(await worstShare(c, [])).toBeLessThanOrEqual(1);
});

const withWeights = networkCases.filter((c) => c.inputs.slice(1).some((t) => t.batchAxis === null));

test.each(withWeights)("$op, $title, with fixed weights", async (c) => {
  const constants = c.inputs.flatMap((t, i) => (i > 0 && t.batchAxis === null ? [i] : []));
  expect(await worstShare(c, constants)).toBeLessThanOrEqual(1);
});

test("the text of a recurrent layer does not grow with its sequence", () => {
  const lengthOf = (steps: number): number => {
    const c = networkCases.find(({ op, title }) => op === "lstm" && title === "forward")!;
    const [x, ...weights] = c.inputs;
    const longer = { ...c, inputs: [{ ...x!, shape: [steps, ...x!.shape.slice(1)] }, ...weights] };
    return moduleSource(planEmission(graphWithConstants(longer, 1, [1, 2, 3])), "simd").length;
  };
  // Addresses and counts have more digits.
  expect(lengthOf(4000) - lengthOf(4)).toBeLessThan(200);
});
