/** What a device loads stays small: the code of a network of published size. */
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { emitFiles } from "../../src/emit/index.js";
import { readModel } from "../../src/formats/index.js";
import { describeWithData } from "../support/shared-data.js";

describeWithData("VWW MobileNet", ["models/mlperf-tiny/vww_96_float.tflite"], ([file]) => {
  test("30 layers in at most 20 kB of code, 6 kB packed", async () => {
    const files = await emitFiles(await readModel(file!));
    for (const variant of ["simd", "relaxed"]) {
      const code = files.get(`model.${variant}.wasm`)!;
      expect(code.length).toBeLessThanOrEqual(20_000);
      expect(brotliCompressSync(code).length).toBeLessThanOrEqual(6_000);
    }
  });
});

describeWithData("DS-CNN", ["models/mlperf-tiny/kws_ref_model_float32.tflite"], ([file]) => {
  test("each module in at most 8 kB, the glue in 2", async () => {
    const files = await emitFiles(await readModel(file!));
    for (const variant of ["simd", "relaxed"]) {
      expect(files.get(`model.${variant}.wasm`)!.length).toBeLessThanOrEqual(8_000);
    }
    // What a page loads; Node's entry is shorter than a page's.
    const glue = ["glue.js", "index.js"].reduce((n, f) => n + files.get(f)!.length, 0);
    expect(glue).toBeLessThanOrEqual(2_000);
  });
});
