import path from "node:path";
import type { Runtime } from "./engine.js";
import { jobOf, localGroups, timingOptions, type Group, type TimingChoice } from "./job.js";
import { measureInChromium, type ChromiumChoice } from "./chromium.js";
import { measureInShell } from "./jsc.js";
import { measurementsOf, type Measurement } from "./result.js";
import { RUNNER_SOURCE, type NodeAnswer } from "./runner-source.js";
import { cannotBeTimed, runProgram, type NodeChoice } from "./run-program.js";
import type { TimingProgress } from "./device/timing.mjs";
import { measureInWasmtime } from "./wasmtime.js";

export type { Measurement } from "./result.js";
export type { Variant } from "./engine.js";

export interface MeasureOptions extends TimingChoice, NodeChoice {
  readonly onProgress?: (progress: TimingProgress) => void;
}

/** How to measure where: options of all engines; each takes what concerns it. */
export interface RuntimeOptions extends MeasureOptions, ChromiumChoice {
  /** The engine's executable; default: found on PATH or at its usual place. */
  readonly executable?: string;
}

/**
 * Times packages against each other: one child process, one thread, packages alternating run by run, so that what
 * disturbs the machine disturbs all of them. The first directory is what the others are compared with.
 */
export async function measurePackages(dirs: readonly string[], options: MeasureOptions = {}): Promise<Measurement[]> {
  return (await measureInNode([dirs], options))[0]!;
}

/** The same for several groups of packages, in one process, one group after another. */
export async function measureInNode(groups: readonly Group[], options: MeasureOptions = {}): Promise<Measurement[][]> {
  const timing = timingOptions(options);
  const local = localGroups(groups, options);
  const job = jobOf(local, timing, (pkg) => path.resolve(pkg.dir));
  const answer = await runProgram<NodeAnswer>(RUNNER_SOURCE, job, options, options.onProgress);
  if (answer.error !== undefined) throw cannotBeTimed(answer);
  const engine = { ...answer.engine, clockStepMs: answer.timed.clockStepMs };
  return measurementsOf(local, answer.timed, engine);
}

/** Times groups of packages in an engine of this machine; results in the order of the groups. */
export async function measureIn(
  runtime: Runtime,
  groups: readonly Group[],
  options: RuntimeOptions = {},
): Promise<Measurement[][]> {
  switch (runtime) {
    case "node":
      return measureInNode(groups, {
        ...options,
        ...(options.executable !== undefined && { nodePath: options.executable }),
      });
    case "chromium":
      return measureInChromium(groups, options);
    case "jsc":
      return measureInShell(groups, options);
    case "wasmtime":
      return measureInWasmtime(groups, options);
  }
}
