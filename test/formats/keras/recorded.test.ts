import { describe, expect, test } from "vitest";
import { readKeras } from "../../../src/formats/keras/read.js";
import { outputsOf, relativeError } from "../support.js";
import { recorded } from "./recorded.js";

/**
 * The recorded runs are in f32: at most 200 roundings of 2^-24 (the sums of 54 products in two convolutions or five
 * steps of a recurrent layer), relative to the largest output, which cancellation makes up to ten times smaller.
 */
const TOLERANCE = 200 * 10 * 2 ** -24;

describe("layers give what Keras gives", () => {
  test.each(recorded.map((r) => [`${r.name}.${r.kind}`, r] as const))(
    "%s",
    async (_name, { file, inputs, outputs }) => {
      const graph = readKeras(file, "model", "model.keras");
      const values = await outputsOf(
        graph,
        inputs.map(({ shape, data }) => ({ shape, data, dtype: "f32" })),
      );
      expect(values.map((v) => [...v.shape])).toEqual(outputs.map((o) => o.shape));
      values.forEach((v, i) => {
        expect(relativeError(v.data as Float32Array, outputs[i]!.data)).toBeLessThan(TOLERANCE);
      });
    },
  );
});
