import { describe, expect, test } from "vitest";
import { readModel } from "../../../src/formats/index.js";
import { describeWithData } from "../../support/shared-data.js";
import { goldenCases, outputsOf, relativeError } from "../support.js";

const models = [
  ["models/mlperf-tiny", "ad01.h5"],
  ["models/mlperf-tiny", "vww_96.h5"],
  ["models/mlperf-tiny", "pretrainedResnet.h5"],
  ["models/hand-gesture", "keypoint_classifier.hdf5"],
] as const;

describe.each(models)("%s/%s", (folder, file) => {
  describeWithData(file, [`${folder}/${file}`, `${folder}/golden/${file}`], ([model, golden]) => {
    test("gives the outputs that Keras gave", async () => {
      const graph = await readModel(model!);
      for (const { inputs, outputs } of goldenCases(golden!)) {
        for (const [i, value] of (await outputsOf(graph, inputs)).entries()) {
          // The recorded run is in f32, the reference in f64: at most 9 layers of sums of 640 products.
          expect(relativeError(value.data as Float32Array, outputs[i]!.data as Float32Array)).toBeLessThan(
            9 * 640 * 2 ** -24,
          );
        }
      }
    });
  });
});
