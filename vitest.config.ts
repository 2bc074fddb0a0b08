import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { failOnSkips } from "./test/support/fail-on-skips.js";

/** In CI (`IDAP_REQUIRE_ALL=1`) nothing may be skipped: a test that did not run has shown nothing. */
const requireAll = process.env.IDAP_REQUIRE_ALL === "1";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/out/**"],
    // Processes, not threads: the host starts worker threads of its own, and process.exitCode and memory are real.
    pool: "forks",
    // Every core: left to itself vitest keeps one free, which on a small machine is half of it.
    maxWorkers: availableParallelism(),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: requireAll ? ["default", failOnSkips()] : ["default"],
  },
});
