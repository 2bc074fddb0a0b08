import { describe, expect, test } from "vitest";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { Random } from "../../src/model/random.js";
import type { TensorRecord } from "../../src/model/types.js";
import { Net, randomInputs, randomNetwork } from "../support/networks.js";

describe("reference executor", () => {
  const net = new Net(new Random(1));
  const a = net.input([2, 2, 1], "a");
  const b = net.input([1], "b");
  const mean = net.globalMean(a);
  const graph = net.build(net.add(mean, b));

  test("computes by port names at any batch, and shows inner tensors", async () => {
    const inputs: TensorRecord = {
      a: { data: new Float32Array([1, 2, 3, 6, 0, 0, 0, 4]), shape: [2, 2, 2, 1], dtype: "f32" },
      b: { data: new Float32Array([10, 20]), shape: [2, 1], dtype: "f32" },
    };
    const executor = new ReferenceExecutor(graph);
    const { y } = await executor.run(inputs);
    expect(y).toEqual({ data: new Float32Array([13, 21]), shape: [2, 1], dtype: "f32" });
    const seen = await executor.observe(inputs, [mean]);
    expect(seen.get(mean)!.data).toEqual(new Float32Array([3, 1]));
    await executor.close();
  });

  test.each([
    ["a missing input", {}, /"a" .* is missing/],
    ["an unknown input", { c: true }, /"c" is no input of "net"; it has a, b/],
    ["a wrong shape", { a: [1, 2, 3, 1], b: [1, 1] }, /"a" must be \[batch, 2, 2, 1\], got \[1, 2, 3, 1\]/],
    ["two batches", { a: [2, 2, 2, 1], b: [3, 1] }, /disagree about the batch: 2 and 3/],
    ["a batch of 0", { a: [0, 2, 2, 1], b: [0, 1] }, /"a" must be/],
  ] as [string, Record<string, number[] | boolean>, RegExp][])("%s is refused", async (_title, shapes, message) => {
    const inputs = Object.fromEntries(
      Object.entries(shapes).map(([name, s]) => {
        const shape = Array.isArray(s) ? s : [1];
        return [name, { data: new Float32Array(shape.reduce((p, q) => p * q, 1)), shape, dtype: "f32" as const }];
      }),
    );
    await expect(new ReferenceExecutor(graph).run(inputs)).rejects.toMatchObject({
      code: "E_INPUT",
      message: expect.stringMatching(message),
    });
  });

  test("a tensor that does not exist cannot be observed", async () => {
    const g = randomNetwork(1);
    await expect(new ReferenceExecutor(g).observe(randomInputs(g, 1), ["none"])).rejects.toMatchObject({
      code: "E_TENSOR",
    });
  });
});
