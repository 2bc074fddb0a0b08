/** Emitted packages classify whole data sets as well as the reference runtimes do with the same files. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { ACCURACIES, ACCURACY_BOUND, packageAccuracy } from "../../scripts/models/accuracy.mjs";
import { library } from "../support/checked-models.js";
import { describeWithData, sharedData } from "../support/shared-data.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "idap-accuracy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const check of ACCURACIES) {
  describeWithData(check.model, [`models/${check.model}`, ...check.files], () => {
    test(`reaches ${check.reached} on ${check.data}`, { timeout: 240_000 }, async () => {
      const data = path.dirname(sharedData("models")!);
      const out = path.join(folder, path.basename(check.model));
      const { accuracy } = await packageAccuracy(library, check, { data, out });
      expect(Math.abs(accuracy - check.reached)).toBeLessThanOrEqual(ACCURACY_BOUND);
    });
  });
}
