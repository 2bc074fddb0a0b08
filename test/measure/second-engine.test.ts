import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emit } from "../../src/emit/index.js";
import { readModel } from "../../src/formats/index.js";
import { testVector } from "../../src/model/test-vector.js";
import { readPassport } from "../../src/measure/passport.js";
import { findSecondEngine, runHere, SECOND_ENGINE_HINT } from "../support/second-engine.js";
import { requireAll, sharedData } from "../support/shared-data.js";
import { smallNetwork } from "../support/small-network.js";

const engine = findSecondEngine();
if (!engine && !requireAll) console.warn(`skipped "outside V8": ${SECOND_ENGINE_HINT}`);

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), "idap-second-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs the strict module of a package in both engines on its stored test vector. */
async function compare(dir: string): Promise<void> {
  const { facts } = readPassport(dir);
  const job = {
    wasm: path.join(dir, "model.simd.wasm"),
    weights: path.join(dir, "weights.bin"),
    inputs: facts.inputs.map((p) => {
      const values = testVector(p.dtype, p.bytes / 4, facts.selfTest.scale, facts.selfTest.offset);
      return new Uint8Array(values.buffer);
    }),
  };
  const here = await runHere(job);
  const there = engine!.run(job);
  expect(there.selftest).toBe(1);
  expect(there.memoryBytes).toBe(facts.memory.pages * 65536);
  expect(there.outputs.map((o) => Buffer.from(o).toString("hex"))).toEqual(
    here.outputs.map((o) => Buffer.from(o).toString("hex")),
  );
  // Not all zeros: the two do not agree because nothing was computed.
  expect(new Set(here.outputs[0]).size).toBeGreaterThan(4);
}

if (!engine && requireAll) {
  test("outside V8", () => {
    throw new Error(SECOND_ENGINE_HINT);
  });
} else {
  describe.skipIf(!engine)(`outside V8, in ${engine?.name ?? "no engine"}: the same bits as here`, () => {
    test("a small network", async () => {
      const dir = path.join(root, "small");
      await emit(smallNetwork(), { out: dir, variants: ["simd"] });
      await compare(dir);
    });

    const models = {
      "ResNet-8": "models/mlperf-tiny/pretrainedResnet.tflite",
      "DS-CNN": "models/mlperf-tiny/kws_ref_model_float32.tflite",
      "VWW MobileNet": "models/mlperf-tiny/vww_96_float.tflite",
    };
    for (const [name, file] of Object.entries(models)) {
      const model = sharedData(file);
      // Where the data must be there, its absence is a failure of this test, not a skip.
      test.skipIf(model === null && !requireAll)(name, async () => {
        expect(model, `${file} is required here`).not.toBeNull();
        const dir = path.join(root, path.basename(file));
        await emit(await readModel(model!), { out: dir, variants: ["simd"] });
        await compare(dir);
        expect(readFileSync(path.join(dir, "model.simd.wasm")).length).toBeGreaterThan(1000);
      });
    }
  });
}
