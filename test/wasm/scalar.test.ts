import { expect, test } from "vitest";
import { compileGraph, randomInputs } from "../emit/support.js";
import { smallNetwork } from "../support/small-network.js";

// Every operator's scalar bits are compared with the strict ones' in test/emit/random-operators.test.ts.
test.each([true, false])("a scalar module gives the bits of the strict one; optimised: %s", async (optimise) => {
  const graph = smallNetwork();
  for (const winograd of ["off", "always"] as const) {
    const [simd, scalar] = await compileGraph(graph, ["simd", "scalar"], optimise, winograd);
    for (let seed = 1; seed < 4; seed++) {
      const inputs = randomInputs(graph, seed);
      expect(scalar!.run(inputs)).toEqual(simd!.run(inputs));
    }
  }
});
