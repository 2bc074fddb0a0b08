import type { Reporter, TestModule } from "vitest/node";

/** A reporter that turns a run with skipped tests into a failed run, and names them. */
export function failOnSkips(): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[]) {
      const skipped = [...modules].flatMap((m) =>
        [...m.children.allTests("skipped")].map((t) => `${m.relativeModuleId}: ${t.fullName}`),
      );
      if (skipped.length === 0) return;
      console.error(`\nIDAP_REQUIRE_ALL=1 allows no skipped test, but ${skipped.length} did not run:`);
      for (const name of skipped) console.error(`  ${name}`);
      process.exitCode = 1;
    },
  };
}
