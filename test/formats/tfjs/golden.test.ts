import { describe, expect, test } from "vitest";
import { readModel } from "../../../src/formats/index.js";
import { describeWithData } from "../../support/shared-data.js";
import { goldenCases, hybridOutputs, outputsOf } from "../support.js";

/** Of the range of an output, the least accuracy that is promised for float models. */
const SHARE = 1e-4;

/**
 * A runtime in f32 rounds the result of every node at least once, and every sum before it. How far one rounding of each
 * node moves an output says how sensitive it is; four times that is allowed to the runtime that was recorded.
 */
const ROUNDINGS = 4;

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}

function rangeOf(values: ArrayLike<number>): number {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]!, 0);
    high = Math.max(high, values[i]!, 0);
  }
  return high - low;
}

const models = [
  ["models/tfjs/abalone", "model.json"],
  ["models/tfjs/resnet8-layers", "model.json"],
  ["models/tfjs/blazeface", "blazeface.json"],
  ["models/tfjs/facemesh", "facemesh.json"],
  ["models/tfjs/blazepose-lite", "blazepose-lite.json"],
] as const;

describe.each(models)("%s", (folder, file) => {
  describeWithData(folder, [`${folder}/${file}`, `${folder}/golden`], ([model, golden]) => {
    // In f64 the largest takes ten seconds alone, more on a busy machine.
    test("gives the outputs that TensorFlow.js gave", { timeout: 240_000 }, async () => {
      const graph = await readModel(model!);
      const [first] = goldenCases(golden!);
      const outputs = await outputsOf(graph, first!.inputs);
      let rounded: ReturnType<typeof hybridOutputs> | null = null;
      for (const [i, value] of outputs.entries()) {
        const expected = first!.outputs[i]!.data as Float32Array;
        expect(value.shape).toEqual(first!.outputs[i]!.shape);
        const difference = largestDifference(value.data as Float32Array, expected);
        if (difference <= SHARE * rangeOf(expected)) continue;
        rounded ??= hybridOutputs(graph, first!.inputs);
        const sensitivity = largestDifference(rounded[i]!.data as Float32Array, value.data as Float32Array);
        expect(difference).toBeLessThanOrEqual(ROUNDINGS * sensitivity);
      }
    });

    test("has the ports of the file", async () => {
      const graph = await readModel(model!);
      const names = goldenCases(golden!)[0]!.outputNames.map((name) => name.split("/")[0]);
      expect(graph.outputs.map((p) => p.name)).toEqual(names);
    });
  });
});
