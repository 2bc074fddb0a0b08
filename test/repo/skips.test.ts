import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test("where nothing may be skipped, a skipped test fails the run and is named", () => {
  const run = spawnSync(process.execPath, [at("../../node_modules/vitest/vitest.mjs"), "run", "--no-color"], {
    cwd: at("fixtures/skips"),
    encoding: "utf8",
    env: { ...process.env, VITEST: undefined, NODE_OPTIONS: "" },
  });
  expect(run.stdout).toMatch(/1 passed \| 1 skipped/);
  expect(run.stderr).toMatch(/1 did not run:\s+skipped\.check\.ts: needs data > that is not here/);
  expect(run.status).toBe(1);
});
