/** Operator cases as one emitted module, compared with the reference. */
import { expect } from "vitest";
import { evaluateGraph } from "../../src/host/reference.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { toDoubles } from "../../src/model/doubles.js";
import { bounds, operandsOf, toRecord } from "../host/support.js";
import type { OpCase } from "../support/op-cases.js";
import { compileGraph } from "./support.js";

/**
 * Expects every variant of a module of all `cases` to be within each case's bound of the reference, at first and in memory
 * that a run has used. Operands without a batch are constants of the module in every second case.
 */
export async function expectEmitted(cases: readonly OpCase[]): Promise<void> {
  const builder = new GraphBuilder("cases");
  const operands = cases.map((c, k) => operandsOf(c, 1, 50 + k));
  const names = cases.map((c, k) =>
    c.inputs.map((type, i) => {
      const { data } = toRecord([operands[k]![i]!]).in0!;
      const fixed = type.batchAxis === null && k % 2 === 1;
      return fixed ? builder.constant(`c${k}_${i}`, type.dtype, type.shape, data) : builder.input(`x${k}_${i}`, type);
    }),
  );
  const outputs = cases.map((c, k) => builder.node(c.op, names[k]!, c.attrs));
  outputs.forEach((tensors, k) => tensors.forEach((tensor, i) => builder.output(tensor, `y${k}_${i}`)));
  const graph = builder.build();

  const given = names.flatMap((list, k) => list.map((name, i) => [name, operands[k]![i]!] as const));
  const inputs = given.filter(([name]) => graph.tensors.get(name)!.data === undefined);
  const exact = evaluateGraph(graph, new Map(inputs), 1);
  const record = Object.fromEntries(inputs.map(([name, value]) => [name, toRecord([value]).in0!]));
  const runners = await compileGraph(graph);
  expect(runners.length).toBe(2);
  for (const runner of [...runners, ...runners]) {
    const got = runner.run(record);
    cases.forEach((c, k) => {
      const values = outputs[k]!.map((tensor) => exact.get(tensor)!);
      const allowed = bounds(c, operands[k]!, values, 1);
      values.forEach(({ data }, i) => {
        const actual = toDoubles(got[`y${k}_${i}`]!.data);
        expect(actual.length).toBe(data.length);
        data.forEach((v, j) => {
          if (!(Math.abs(actual[j]! - v) <= allowed[i]![j]!)) {
            expect.fail(`${c.op} (${c.title}), ${runner.variant}, y${i}[${j}]: ${actual[j]} instead of ${v}`);
          }
        });
      });
    });
  }
}
