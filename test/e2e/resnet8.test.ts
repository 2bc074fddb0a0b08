import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { build } from "../../src/build/index.js";
import { loadData } from "../../src/data/index.js";
import { verifyPackage } from "../../src/measure/index.js";
import type { Split } from "../../src/model/dataset.js";
import { describeWithData } from "../support/shared-data.js";

const root = mkdtempSync(path.join(tmpdir(), "idap-resnet8-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The first samples of a split: labels and order are as they were. */
const head = (split: Split, count: number): Split => ({
  name: split.name,
  count,
  shape: split.shape,
  labels: split.labels!.slice(0, count),
  classes: split.classes,
  read: (indices, out) => split.read(indices, out),
});

/**
 * The real network on real images through every stage, with little recovery: what is checked is the way, not the
 * result of a full build, which takes minutes. The generous budget lets both stages try something.
 */
describeWithData(
  "ResNet-8 on CIFAR-10, end to end",
  ["models/mlperf-tiny/pretrainedResnet.tflite", "cifar10"],
  ([model, data]) => {
    test("from the TFLite file to a pruned, certified, measured package", async () => {
      const all = await loadData(data!, { seed: 1, calibrationCount: 256 });
      const r = await build({
        model: model!,
        data: { ...all, train: head(all.train, 2048), validation: head(all.validation, 500) },
        out: path.join(root, "resnet8"),
        seed: 1,
        pruning: {
          maxDrop: 40,
          iterations: 1,
          rho0: 0.12,
          batch: 64,
          recoverySamples: 2048,
          filterShare: 1,
          layerSteps: 8,
          maxRemovals: 1,
          patience: 1,
          finalEpochs: 1,
        },
        runs: 50,
      });
      // Known of this model (88.1 % of these 1,000 test images): the reader, the data and the host agree on it.
      expect(r.test!.samples).toBe(1000);
      expect(r.test!.dense).toBeCloseTo(0.881, 2);
      expect(r.macs.dense).toBeGreaterThan(12.4e6);
      expect(r.macs.dense).toBeLessThan(12.7e6);
      expect(r.macs.pruned).toBeLessThan(0.9 * r.macs.dense);
      expect(r.ledger.map((e) => e.stage)).toEqual(expect.arrayContaining(["filters", "layers"]));
      expect(r.accepted, r.reason).toBe(true);
      expect(r.maxError).toBeLessThan(1e-4);
      expect(r.denseMaxError!).toBeLessThan(1e-4);
      expect(r.bytes.glue).toBeLessThanOrEqual(2000);
      expect(r.bytes.code).toBeLessThanOrEqual(40_000);
      expect(r.latency.speedup!).toBeGreaterThan(1.05);
      // The emitted module is right on the same images as the host's executor, up to ties in the last bits.
      expect(r.test!.emitted).toBeCloseTo(r.test!.pruned, 2);
      const checked = await verifyPackage(path.join(root, "resnet8"));
      expect(checked.variants.find((v) => v.variant === "simd")!.ran).toBe(true);
    }, 300_000);
  },
);
