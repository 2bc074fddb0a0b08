/** Every recorded model that takes seconds, emitted without pruning: its package gives what the recording has. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkModel, FLOAT_BOUND, type FloatFigure } from "../../scripts/models/check.mjs";
import { listModels } from "../../scripts/models/recorded.mjs";
import { readModel } from "../../src/formats/index.js";
import type { Graph } from "../../src/model/types.js";
import { library } from "../support/checked-models.js";
import { describeWithData, sharedData } from "../support/shared-data.js";

/** Slow to emit or to run; `npm run check:models` has them all, and docs/models.md what was seen. */
const SLOW = [
  /deeplab/,
  /movenet/,
  /mobilenet_v2/,
  /conformer/,
  /resnet_large/i,
  /blaze/,
  /facemesh/,
  /yunet/,
  // real.test.ts and accuracy.test.ts emit the same networks.
  /pretrainedResnet.tflite|vww_96_float|kws_ref_model_float32|keypoint_classifier.tflite|point_history/,
];

const folder = mkdtempSync(path.join(os.tmpdir(), "idap-recorded-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWithData("packages of recorded models", ["models"], ([root]) => {
  const present = root === undefined || sharedData("models") === null ? [] : listModels(root);
  const quick = present.filter(({ name }) => !SLOW.some((pattern) => pattern.test(name)));
  test("there are such models", () => expect(quick.length).toBeGreaterThanOrEqual(12));

  test("a weight that is off by a thousandth is seen", { timeout: 60_000 }, async () => {
    const model = quick.find(({ name }) => name.includes("hello_world_float"))!;
    const spoilt = async (file: string): Promise<Graph> => {
      const graph = await readModel(file);
      const [name, tensor] = [...graph.tensors].find(([, { data }]) => data && data.length > 16)!;
      const data = Float32Array.from(tensor.data as Float32Array, (v) => v * 1.001);
      return { ...graph, tensors: new Map(graph.tensors).set(name, { ...tensor, data }) };
    };
    const out = path.join(folder, "spoilt");
    const result = await checkModel({ ...library, readModel: spoilt }, model, { out, variants: ["simd"] });
    expect(result.passes).toBe(false);
    expect((result.emitted as FloatFigure).derived[0]!.error).toBeGreaterThan(FLOAT_BOUND);
  });

  describe.each(quick)("$name", (model) => {
    test("gives the recorded outputs, or the same answer in plain float", { timeout: 120_000 }, async () => {
      const out = path.join(folder, model.name.replaceAll("/", "-"));
      const {
        passes,
        emitted,
        package: sizes,
      } = await checkModel(library, model, { out, host: false, variants: ["simd"] });
      expect(passes, JSON.stringify(emitted)).toBe(true);
      expect(sizes.glue).toBeLessThanOrEqual(2100);
    });
  });
});
