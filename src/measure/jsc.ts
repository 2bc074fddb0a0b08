/** JavaScriptCore, Safari's engine, by its shell `jsc`: the timing code is loaded as a module, files are read by the shell. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { jobOf, localGroups, timingOptions, type Group, type TimingChoice } from "./job.js";
import { thisMachine } from "./machine.js";
import { measurementsOf, timedJob, type Measurement } from "./result.js";
import { cannotBeTimed } from "./run-program.js";
import { deviceFile } from "./served-files.js";
import { findProgram, namedProgram, runShell } from "./shell.js";
import type { Job, TimingProgress } from "./device/timing.mjs";

export interface ShellChoice extends TimingChoice {
  /** The engine's executable; default: found on PATH or at its usual place. */
  readonly executable?: string;
  readonly onProgress?: (progress: TimingProgress) => void;
}

const PLACES = [
  "/System/Library/Frameworks/JavaScriptCore.framework/Versions/Current/Helpers/jsc",
  ...["aarch64", "x86_64", "arm"].flatMap((arch) =>
    ["4.0", "4.1", "6.0"].map((version) => `/usr/lib/${arch}-linux-gnu/webkit2gtk-${version}/jsc`),
  ),
];

export function shellExecutable(named?: string): string {
  const given = named ?? process.env.IDAP_JSC ?? "";
  if (given !== "") return namedProgram(given, "JavaScriptCore shell");
  const found = findProgram(["jsc"], PLACES);
  if (found !== null) return found;
  throw new IdapError(
    "E_MEASURE",
    "no jsc, JavaScriptCore's shell, was found on this machine",
    "Install it (Debian: libjavascriptcoregtk-4.0-bin; macOS has it), or name its executable with --engine.",
  );
}

/** The generated script; the job is text inside it, paths of packages included. */
const script = (job: Job): string => `import { timeJob } from "./timing.mjs";
const line = (kind, value) => print(kind + " " + JSON.stringify(value));
try {
  line("timed", await timeJob(${JSON.stringify(job)}, {
    now: () => 1000 * preciseTime(),
    read: async ({ at }, file) => ({ bytes: read(at + "/" + file, "binary") }),
    pause: () => Promise.resolve(),
    memory: () => (typeof MemoryFootprint === "function" ? MemoryFootprint().current : null),
    report: (progress) => line("progress", progress),
  }));
} catch (e) {
  line("failed", { error: String(e.message ?? e), dir: e.at ?? null });
}
`;

export async function measureInShell(groups: readonly Group[], options: ShellChoice = {}): Promise<Measurement[][]> {
  const executable = shellExecutable(options.executable);
  const timing = timingOptions(options);
  const local = localGroups(groups, options);
  const job = jobOf(local, timing, (pkg) => path.resolve(pkg.dir));
  const folder = mkdtempSync(path.join(os.tmpdir(), "idap-jsc-"));
  try {
    copyFileSync(deviceFile("timing.mjs"), path.join(folder, "timing.mjs"));
    writeFileSync(path.join(folder, "run.mjs"), script(job));
    let answer: string | null = null;
    let failed: string | null = null;
    const { code, err } = await runShell(executable, ["-m", path.join(folder, "run.mjs")], {
      onLine: (line) => {
        if (line.startsWith("progress ")) options.onProgress?.(JSON.parse(line.slice(9)) as TimingProgress);
        if (line.startsWith("timed ")) answer = line.slice(6);
        if (line.startsWith("failed ")) failed = line.slice(7);
      },
    });
    if (failed !== null) throw cannotBeTimed(JSON.parse(failed));
    if (answer === null) {
      throw new IdapError("E_MEASURE", `${executable} ended without an answer (exit code ${code}): ${err}`);
    }
    const timed = timedJob.parse(JSON.parse(answer));
    const engine = {
      runtime: "jsc" as const,
      version: shellVersion(executable),
      ...thisMachine(),
      clockStepMs: timed.clockStepMs,
    };
    return measurementsOf(local, timed, engine);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The shell does not tell its version; the library that it loads bears it in its name. */
function shellVersion(executable: string): string {
  return /webkit2?gtk-[\d.]+/.exec(executable)?.[0] ?? "of unknown version";
}
