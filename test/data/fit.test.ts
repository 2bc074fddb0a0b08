import { describe, expect, test } from "vitest";
import { checkFits, fitToModel, loadData } from "../../src/data/index.js";
import type { Graph, TensorType } from "../../src/model/types.js";
import { cifarFile, folderWith } from "./files.js";

/** A graph's interface only: what fitting looks at. */
function modelOf(input: number[], output: number[], inputs = 1): Graph {
  const f32 = (shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: 0 });
  const ports = Array.from({ length: inputs }, (_, i) => ({ name: `x${i}`, tensor: `x${i}` }));
  return {
    name: "net",
    inputs: ports,
    outputs: [{ name: "scores", tensor: "y" }],
    tensors: new Map([
      ...ports.map((p) => [p.tensor, { name: p.tensor, type: f32(input) }] as const),
      ["y", { name: "y", type: f32(output) }],
    ]),
    nodes: [],
  };
}

const load = () => loadData(folderWith({ "test_batch.bin": cifarFile([0, 4]) }), { seed: 1 });

describe("fitting data to a model", () => {
  test("channels first: element (c, y, x) of the new sample is (y, x, c) of the old", async () => {
    const data = await load();
    const fitted = fitToModel(data, modelOf([1, 3, 32, 32], [1, 10]));
    expect(fitted.test!.shape).toEqual([3, 32, 32]);
    const [a, b] = [new Float32Array(2 * 3072), new Float32Array(2 * 3072)];
    data.test!.read([1, 0], a);
    fitted.test!.read([1, 0], b);
    for (let k = 0; k < 2; k++)
      for (let c = 0; c < 3; c++)
        for (let p = 0; p < 1024; p += 31)
          expect(b[k * 3072 + c * 1024 + p], `sample ${k} channel ${c} pixel ${p}`).toBe(a[k * 3072 + p * 3 + c]);
  });

  test("extents of 1 do not matter, and the classes are the model's outputs", async () => {
    const fitted = fitToModel(await load(), modelOf([1, 1, 32, 32, 3], [1, 1, 12]));
    expect(fitted.test!.shape).toEqual([1, 32, 32, 3]);
    expect(fitted.test!.classes).toBe(12);
  });

  test.each([
    ["another size", modelOf([1, 96, 96, 3], [1, 2]), "E_DATA_SHAPE", /\[32, 32, 3\].*"x0" of net.*\[96, 96, 3\]/],
    ["another rank", modelOf([1, 3072], [1, 10]), "E_DATA_SHAPE", /needs \[3072\]/],
    ["two inputs", modelOf([1, 32, 32, 3], [1, 10], 2), "E_DATA_SHAPE", /2 inputs \(x0, x1\)/],
    ["fewer outputs than classes", modelOf([1, 32, 32, 3], [1, 4]), "E_DATA_LABEL", /10 classes.*"scores".*4/],
  ])("%s is told", async (_name, graph, code, message) => {
    const data = await load();
    expect(() => fitToModel(data, graph)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
    expect(() => checkFits(data, graph)).toThrow(expect.objectContaining({ code }));
  });
});
