import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { describe, test } from "vitest";

const root = process.env.IDAP_SHARED_DATA ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));

/** Set in CI: a test that should run there must not be skipped silently. */
export const requireAll = process.env.IDAP_REQUIRE_ALL === "1";

/** Path of a file in the folder of real models and data, or null where that folder is absent. */
export function sharedData(relative: string): string | null {
  const file = path.join(root, relative);
  return existsSync(file) ? file : null;
}

/** A suite on real data: skipped with a printed reason where the data is absent, failed instead in CI. */
export function describeWithData(name: string, files: readonly string[], body: (paths: string[]) => void): void {
  const paths = files.map(sharedData);
  const missing = files.filter((_, i) => paths[i] === null);
  if (missing.length === 0) {
    describe(name, () => body(paths as string[]));
  } else if (requireAll) {
    test(name, () => {
      throw new Error(`real data is required here but ${missing.join(", ")} is missing`);
    });
  } else {
    console.warn(`skipped "${name}": ${missing.join(", ")} is not in ${root}`);
    describe.skip(name, () => body(files as string[]));
  }
}
