import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Measurement } from "./result.js";
import type { DeviceResult } from "./serve-types.js";

/** Name of the only file of a package that may differ between two equal builds. */
export const MEASUREMENTS_FILE = "measurements.json";

/** Directories are left out: a package that is moved must not carry the paths of the machine that built it. */
const withoutPaths = (measurements: readonly Measurement[]): unknown =>
  measurements.map(({ dir: _dir, ...rest }) => rest);

/** Replaces an older file, under a temporary name first. */
function write(dir: string, document: unknown): void {
  const file = path.join(dir, MEASUREMENTS_FILE);
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(document, null, 2)}\n`);
  renameSync(temporary, file);
}

/** Writes what was timed, on what, and when into `dir`. */
export function writeMeasurements(dir: string, measurements: readonly Measurement[], at: Date = new Date()): void {
  write(dir, { measuredAt: at.toISOString(), packages: withoutPaths(measurements) });
}

/** The same for devices that opened the served page: each is an entry of its own. */
export function writeDeviceResults(dir: string, results: readonly DeviceResult[], at: Date = new Date()): void {
  const devices = results.map(({ device, engine, receivedAt, inBackground, groups }) => ({
    device,
    engine,
    receivedAt,
    inBackground,
    packages: groups.map(withoutPaths).flat(),
  }));
  write(dir, { measuredAt: at.toISOString(), devices });
}
