import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Measurement } from "./result.js";

/** Name of the only file of a package that may differ between two equal builds. */
export const MEASUREMENTS_FILE = "measurements.json";

/**
 * Writes what was timed, on what, and when into `dir`; an older file is replaced, under a temporary name first.
 * Directories are left out: a package that is moved must not carry the paths of the machine that built it.
 */
export function writeMeasurements(dir: string, measurements: readonly Measurement[], at: Date = new Date()): void {
  const packages = measurements.map(({ dir: _dir, ...rest }) => rest);
  const file = path.join(dir, MEASUREMENTS_FILE);
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, `${JSON.stringify({ measuredAt: at.toISOString(), packages }, null, 2)}\n`);
  renameSync(temporary, file);
}
