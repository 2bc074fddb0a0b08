import { describe, expect, test } from "vitest";
import { prepare } from "../../src/emit/lower.js";
import { createExecutor } from "../../src/host/executor.js";
import { compileGraph } from "../emit/support.js";
import { randomInputs, randomNetwork } from "../support/networks.js";
import { floats } from "./support.js";

// Convolutions, dense layers, pooling, element by element: host and device sum in the same order. (Reductions over other
// axes than the pixels, and constants that the emitter moves into biases, may differ in the last bit; these have none. Winograd's method,
// which only the device knows, sums in another order.)
describe("the host's strict kernels give the bits of the emitted module", () => {
  test.each([1, 2, 3, 4, 5, 6])("on network %i", async (seed) => {
    const graph = prepare(randomNetwork(seed));
    const inputs = randomInputs(graph, seed, 1);
    const [simd] = await compileGraph(graph, ["simd"], true, "off");
    const device = floats(simd!.run(inputs).y);
    expect(floats((await createExecutor("wasm", graph).run(inputs)).y)).toEqual(device);
  });
});
